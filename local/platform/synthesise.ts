import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createApp } from '../../lib/app';
import { localEnvironment } from '../../lib/config/built-environments';
import { bundleFunctions } from '../../lib/operations/bundles';
import { TEMPLATE_ADDRESSES } from './template-addresses';

/** Settings of the CDK's command line, without which another template would come out than the one that is deployed. */
function cdkContext(): Record<string, unknown> {
  const { context } = JSON.parse(readFileSync(join(__dirname, '../../cdk.json'), 'utf8')) as {
    context: Record<string, unknown>;
  };
  // Judging the template takes longer than making it; `cdk synth` and the tests do that.
  return { ...context, '@aws-cdk/core:validateAgainstDefaultRules': false };
}

/**
 * Bundles the functions and synthesises the same app as `cdk deploy`, for the environment of this machine.
 *
 * @param outdir folder that the cloud assembly is written to, the bundles in it
 */
export function synthesise(outdir: string): void {
  const bundlesFolder = `${outdir}.bundles`;
  try {
    const bundles = bundleFunctions({ outdir: bundlesFolder });
    createApp([localEnvironment(TEMPLATE_ADDRESSES)], { outdir, bundles, context: cdkContext() }).synth();
  } finally {
    rmSync(bundlesFolder, { recursive: true, force: true });
  }
}
