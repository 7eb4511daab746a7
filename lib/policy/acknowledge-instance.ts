import type { DatabaseInstanceBase } from 'aws-cdk-lib/aws-rds';
import type { IConstruct } from 'constructs';
import { acknowledge } from './acknowledge';
import { acknowledgeManagedPolicy } from './acknowledge-permissions';

/** The settings of an instance that policy tools look at. */
export interface InstanceTraits {
  /** Whether it has a standby in another zone. */
  readonly multiAz: boolean;
  /** Whether the instance refuses to be deleted. */
  readonly deletionProtection: boolean;
}

/** Accepts what policy tools find on every instance with these settings. */
export function acknowledgeInstance(
  instance: DatabaseInstanceBase,
  { multiAz, deletionProtection }: InstanceTraits,
): void {
  acknowledge(instance, {
    nag: ['AwsSolutions-RDS11'],
    reason:
      'Security groups name each client, and every connection needs TLS and a password; a different port would add no protection',
  });
  if (!multiAz) {
    acknowledge(instance, {
      nag: ['AwsSolutions-RDS3', 'NIST.800.53.R5-RDSMultiAZSupport'],
      checkov: ['CKV_AWS_157'],
      reason:
        'A standby is a setting of the environment: without one, the restore target of the database is met from its backups',
    });
  }
  if (!deletionProtection) {
    acknowledge(instance, {
      nag: ['AwsSolutions-RDS10', 'NIST.800.53.R5-RDSInstanceDeletionProtectionEnabled'],
      reason:
        'An environment without removal protection holds no data worth keeping and is meant to be deleted as a whole',
    });
  }
}

/** Accepts the policy of the role that publishes operating-system metrics. */
export function acknowledgeMonitoringRole(role: IConstruct): void {
  acknowledgeManagedPolicy(
    role,
    'service-role/AmazonRDSEnhancedMonitoringRole',
    'AWS maintains this policy for enhanced monitoring; it allows writing to one log group with a fixed name',
  );
}
