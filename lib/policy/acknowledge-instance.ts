import type { DatabaseInstanceBase } from 'aws-cdk-lib/aws-rds';
import type { IConstruct } from 'constructs';
import { acknowledge } from './acknowledge';
import { acknowledgeManagedPolicy } from './acknowledge-permissions';

/** How an instance is set up, as far as policy tools ask. */
export interface InstanceTraits {
  readonly multiAz: boolean;
  /** Whether the instance refuses to be deleted. */
  readonly deletionProtection: boolean;
}

/** Accepts what policy tools find on every instance that is set up so. */
export function acknowledgeInstance(
  instance: DatabaseInstanceBase,
  { multiAz, deletionProtection }: InstanceTraits,
): void {
  acknowledge(instance, {
    nag: ['AwsSolutions-RDS11'],
    reason:
      'Who may connect is said by security groups, name by name, and by TLS with a password; another port would hide it from nobody',
  });
  if (!multiAz) {
    acknowledge(instance, {
      nag: ['AwsSolutions-RDS3', 'NIST.800.53.R5-RDSMultiAZSupport'],
      checkov: ['CKV_AWS_157'],
      reason:
        'A setting of the environment: where a standby is not worth its price, the restore target of the database is kept from its backups',
    });
  }
  if (!deletionProtection) {
    acknowledge(instance, {
      nag: ['AwsSolutions-RDS10', 'NIST.800.53.R5-RDSInstanceDeletionProtectionEnabled'],
      reason: 'An environment without removal protection holds nothing worth keeping, and is removed whole',
    });
  }
}

/** Accepts the policy of the role that writes the metrics of the operating system. */
export function acknowledgeMonitoringRole(role: IConstruct): void {
  acknowledgeManagedPolicy(
    role,
    'service-role/AmazonRDSEnhancedMonitoringRole',
    'AWS keeps up what enhanced monitoring writes: one log group of a fixed name',
  );
}
