import type { Construct } from 'constructs';
import type { EnvironmentConfig } from '../config/environment-schema';
import { Backup } from '../operations/backup';
import type { Bundle } from '../operations/bundles';
import { Cleanup } from '../operations/cleanup';
import { Collector } from '../operations/collector';
import { Drill } from '../operations/drill';
import { EntitlementCache } from '../operations/entitlement-cache';
import { Entitlements } from '../operations/entitlements';
import { EventQueue } from '../operations/event-queue';
import { InstanceRecovery } from '../operations/instance-recovery';
import { Migrate } from '../operations/migrate';
import { PROCESSOR_TIMEOUT, Processor } from '../operations/processor';
import { Reconciliation } from '../operations/reconciliation';
import { Replay } from '../operations/replay';
import { ResetPassword } from '../operations/reset-password';
import { Restore } from '../operations/restore';
import { Rows } from '../operations/rows';
import { Verify } from '../operations/verify';
import { Webhook } from '../operations/webhook';
import type { DataStack } from './data-stack';
import { EnvironmentStack } from './environment-stack';

export interface OperationsStackProps {
  readonly config: EnvironmentConfig;
  readonly data: DataStack;
  readonly bundles: readonly Bundle[];
}

/** Everything that runs. Holds no data: it can be deployed again, or removed and made again, at any time. */
export class OperationsStack extends EnvironmentStack {
  constructor(scope: Construct, props: OperationsStackProps) {
    const { config, data, bundles } = props;
    super(scope, 'Operations', {
      config,
      description: `Functions, endpoint and schedules of billing (${config.name})`,
    });
    this.addStackDependency(data);

    const { logKey } = data;
    const context = { config, bundles, logKey, vpc: data.vpc, apiSecurityGroup: data.apiSecurityGroup };
    const { databases, archiveBucket, stripeSecrets } = data;
    const { billing } = databases;
    const stripeApiSecret = { arn: stripeSecrets.api.secretArn, key: stripeSecrets.key };
    const queues = new EventQueue(this, 'EventQueue', {
      environmentName: config.name,
      consumerTimeout: PROCESSOR_TIMEOUT,
      removalProtection: config.removalProtection,
    });
    const cache =
      config.cache.kind === 'serverless' && data.vpc
        ? new EntitlementCache(this, 'EntitlementCache', { environmentName: config.name, vpc: data.vpc })
        : undefined;

    new Webhook(this, 'WebhookEndpoint', {
      context,
      queue: queues.queue,
      signingSecretArn: stripeSecrets.signing.secretArn,
      signingSecretKey: stripeSecrets.key,
    });
    new Processor(this, 'EventProcessor', { context, queue: queues.queue, billing: data.pooledBilling, cache });
    new Replay(this, 'Replaying', { context, billing, queues, stripeApiSecret, cache });
    new Reconciliation(this, 'StripeReconciliation', { context, billing, stripeApiSecret, cache });
    new Entitlements(this, 'EntitlementRules', { context, billing, cache });

    new Backup(this, 'Archiving', { context, archiveBucket, archiveKey: data.archiveKey, databases });
    new Restore(this, 'Restoring', { context, archiveBucket, databases });
    new Drill(this, 'Drilling', { context, archiveBucket, databases });
    new Rows(this, 'RowRecovery', { context, archiveBucket, databases, cache });
    const verify = new Verify(this, 'Verifying', { context, databases });
    const resetPassword = new ResetPassword(this, 'PasswordReset', { context, databases });
    for (const instance of data.recoverable) {
      new InstanceRecovery(this, instance.access.name === 'billing' ? 'BillingRecovery' : 'MainRecovery', {
        environmentName: config.name,
        instance,
        logKey,
        verify: verify.function,
        resetPassword,
      });
    }

    new Migrate(this, 'Migrating', { context, databases });
    new Cleanup(this, 'Cleaning', { context, billing });
    new Collector(this, 'Collecting', {
      context,
      databases,
      archiveBucket,
      stripeApiSecretArn: stripeSecrets.api.secretArn,
      stripeSigningSecretArn: stripeSecrets.signing.secretArn,
    });
  }
}
