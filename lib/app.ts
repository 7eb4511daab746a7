import { App } from 'aws-cdk-lib';
import recommendedFlags from './config/feature-flags.json';
import type { EnvironmentConfig } from './config/environment-schema';
import { recoveryRegion } from './data/recovery-region';
import { bundleFunctions, type Bundle } from './operations/bundles';
import { DataStack } from './stacks/data-stack';
import { MonitoringStack } from './stacks/monitoring-stack';
import { OperationsStack } from './stacks/operations-stack';
import { RecoveryStack } from './stacks/recovery-stack';

/**
 * Feature flags of the framework, the same wherever the stacks are synthesised: its recommendations for new projects as of
 * the version in use. They are fixed, because a changed flag may rename or replace resources.
 */
const FEATURE_FLAGS = {
  ...recommendedFlags,
  // CloudFormation then refuses to remove from Data what a deployed function still uses.
  '@aws-cdk/core:defaultCrossStackReferences': 'strong',
};

export interface CreateAppOptions {
  /** Folder of the cloud assembly. @default - that of the CDK's command line, or a temporary folder */
  readonly outdir?: string;
  /** Context values, which override the feature flags. @default - those of the CDK's command line */
  readonly context?: Readonly<Record<string, unknown>>;
  /** Code of the functions. @default - bundled from `lambdas/` */
  readonly bundles?: readonly Bundle[];
}

/**
 * The stacks of each environment: Monitoring depends on Operations, Operations on Data, nothing the other way. Where a
 * second region is configured, Data also depends on what receives the copies there.
 */
export function createApp(environments: readonly EnvironmentConfig[], options: CreateAppOptions = {}): App {
  const bundles = options.bundles ?? bundleFunctions();
  const app = new App({ outdir: options.outdir, context: { ...FEATURE_FLAGS, ...options.context } });
  for (const config of environments) {
    const region = recoveryRegion(config);
    const recovery = region && new RecoveryStack(app, { config, recoveryRegion: region });
    const data = new DataStack(app, { config });
    // AWS rejects a copy or replication rule whose destination does not exist.
    if (recovery) data.addStackDependency(recovery);
    const operations = new OperationsStack(app, { config, data, bundles });
    new MonitoringStack(app, { config, data, operations });
  }
  return app;
}
