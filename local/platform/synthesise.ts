import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApp } from '../../lib/app';
import { localEnvironment } from '../../lib/config/built-environments';
import type { DatabaseName } from '../../core/contract';
import type { Bundle } from '../../lib/operations/bundles';
import type { LocalDatabaseServer } from '../postgres/databases';

export interface SynthesisOptions {
  readonly bundles: readonly Bundle[];
  /** Folder that the cloud assembly is written to. */
  readonly outdir: string;
  readonly databases: Readonly<Record<DatabaseName, LocalDatabaseServer>>;
  readonly stripeApiBase: string;
}

/** Settings of the CDK's command line, without which another template would come out than the one that is deployed. */
function cdkContext(): Record<string, unknown> {
  const { context } = JSON.parse(readFileSync(join(__dirname, '../../cdk.json'), 'utf8')) as {
    context: Record<string, unknown>;
  };
  // Judging the template takes longer than making it; `cdk synth` and the tests do that.
  return { ...context, '@aws-cdk/core:validateAgainstDefaultRules': false };
}

/** Synthesises the same app as `cdk deploy`, for the environment of this machine. */
export function synthesise({ bundles, outdir, databases, stripeApiBase }: SynthesisOptions): void {
  const describe = ({ cluster, name, secretArn }: LocalDatabaseServer) => ({
    host: cluster.host,
    port: cluster.port,
    databaseName: name,
    secretArn,
  });
  const environment = localEnvironment({
    databases: { billing: describe(databases.billing), main: describe(databases.main) },
    stripeApiBase,
  });
  createApp([environment], { outdir, bundles, context: cdkContext() }).synth();
}
