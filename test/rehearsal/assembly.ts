import { appendFileSync, cpSync } from 'node:fs';
import path from 'node:path';
import { Validations, type App, type Stack } from 'aws-cdk-lib';
import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { createApp } from '../../lib/app';
import type { EnvironmentConfig } from '../../lib/config/environment-schema';
import type { Bundle } from '../../lib/operations/bundles';

/** Functions that a new revision changes: those that a webhook passes through. */
export const REVISED: readonly string[] = ['webhook', 'processor'];

/** The line that a revision's functions write as they start, so that its log shows which code ran. */
export function revisionMark(revision: number): string {
  return `rehearsal: revision ${revision}`;
}

/** Bundles in which the revised functions are other code than before. */
export function revise(bundles: readonly Bundle[], directory: string, revision: number): Bundle[] {
  return bundles.map((bundle) => {
    if (!REVISED.includes(bundle.name)) return bundle;
    const folder = path.join(directory, `revision-${revision}`, bundle.name);
    cpSync(bundle.folder, folder, { recursive: true });
    appendFileSync(path.join(folder, 'index.js'), `\nconsole.info(${JSON.stringify(revisionMark(revision))});\n`);
    return { ...bundle, folder };
  });
}

export interface AssemblyOptions {
  readonly config: EnvironmentConfig;
  readonly bundles: readonly Bundle[];
  /** Folder that the assembly is written to. */
  readonly outdir: string;
  /** Adds resources that the environment's stack lacks. @default - none */
  readonly change?: (operations: Stack) => void;
}

/** Synthesises what `cdk deploy` takes: the same app as for every environment. */
export function assemble({ config, bundles, outdir, change }: AssemblyOptions): string {
  // Judging the templates takes longer than making them; `cdk synth` and the tests do that.
  const context = { '@aws-cdk/core:validateAgainstDefaultRules': false };
  const app: App = createApp([config], { bundles, outdir, context });
  change?.(app.node.findChild(stackName(config, 'Operations')) as Stack);
  app.synth();
  return outdir;
}

export function stackName(config: Pick<EnvironmentConfig, 'name'>, part: string): string {
  return `BillingOps-${config.name}-${part}`;
}

/**
 * A mistake that only the deployment finds: an alarm on nothing. It comes after all functions, so that those which the
 * revision changed have to be taken back.
 */
export function addMistake(operations: Stack): void {
  const mistake = new CfnAlarm(operations, 'Mistake', {
    comparisonOperator: 'GreaterThanThreshold',
    evaluationPeriods: 1,
    threshold: 0,
  });
  Validations.of(mistake).acknowledge({ id: 'CloudFormation-Validate::F3014', reason: 'The mistake is meant' });
  for (const construct of operations.node.findAll()) {
    if (construct instanceof CfnFunction) mistake.addResourceDependency(construct);
  }
}
