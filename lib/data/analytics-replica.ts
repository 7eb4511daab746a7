import { CfnOutput, Duration } from 'aws-cdk-lib';
import { InstanceType, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  DatabaseInsightsMode,
  DatabaseInstanceReadReplica,
  EngineLifecycleSupport,
  ParameterGroup,
  PerformanceInsightRetention,
  StorageType,
} from 'aws-cdk-lib/aws-rds';
import { Construct } from 'constructs';
import { acknowledge } from '../policy/acknowledge';
import type { CreatedDatabaseConfig } from '../config/environment-schema';
import { removalPolicyOf } from '../config/removal-policy';
import { acknowledgeInstance, acknowledgeMonitoringRole } from '../policy/acknowledge-instance';
import { CERTIFICATE_AUTHORITY, POSTGRES_ENGINE, POSTGRES_PORT, type Database } from './database';
import { DATABASE_POLICIES, replicaParameters } from './database-policies';
import { exportedLogs, LOG_EXPORTS } from './exported-logs';
import type { Network } from './network';

export interface AnalyticsReplicaProps {
  readonly database: Database;
  readonly network: Network;
  readonly config: CreatedDatabaseConfig;
  /** Encrypts the logs. */
  readonly logKey: IKey;
  readonly removalProtection: boolean;
}

/** A copy that only reads, for reports and people, with no backups of its own: no query on it can slow down the taking of payments. */
export class AnalyticsReplica extends Construct {
  constructor(scope: Construct, id: string, props: AnalyticsReplicaProps) {
    super(scope, id);
    const { database, network, config, removalProtection } = props;
    const { name } = database.access;
    const instanceIdentifier = `${database.settings.instanceIdentifier}-analytics`;
    const removalPolicy = removalPolicyOf(removalProtection);
    const replica = new DatabaseInstanceReadReplica(this, 'Instance', {
      sourceDatabaseInstance: database.instance,
      instanceIdentifier,
      engineLifecycleSupport: EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED,
      instanceType: new InstanceType(config.instanceClass),
      port: POSTGRES_PORT,
      iamAuthentication: true,
      caCertificate: CERTIFICATE_AUTHORITY,
      vpc: network.vpc,
      subnetGroup: database.subnetGroup,
      securityGroups: [
        new SecurityGroup(this, 'SecurityGroup', {
          vpc: network.vpc,
          description: `The analytics replica of the ${name} database. Each consumer adds the rule that lets it in`,
          allowAllOutbound: false,
        }),
      ],
      publiclyAccessible: false,
      // Reports can wait for a replica to be made again.
      multiAz: false,
      // Encrypted with the key of the source; in the same region RDS takes no other.
      storageType: StorageType.GP3,
      // Its own ceiling: storage that the primary grew does not grow here by itself.
      maxAllocatedStorage: config.maximumStorageGiB,
      copyTagsToSnapshot: true,
      deletionProtection: removalProtection,
      removalPolicy,
      preferredMaintenanceWindow: DATABASE_POLICIES[name].maintenanceWindow,
      autoMinorVersionUpgrade: true,
      applyImmediately: false,
      parameterGroup: new ParameterGroup(this, 'Parameters', {
        engine: POSTGRES_ENGINE,
        description: `Settings of the analytics replica of the ${name} database`,
        parameters: replicaParameters(name),
        removalPolicy,
      }),
      cloudwatchLogsExports: [...LOG_EXPORTS],
      monitoringInterval: Duration.minutes(1),
      enablePerformanceInsights: true,
      performanceInsightEncryptionKey: database.key,
      performanceInsightRetention: PerformanceInsightRetention.DEFAULT,
      databaseInsightsMode: DatabaseInsightsMode.STANDARD,
    });
    replica.node.addDependency(
      ...exportedLogs(this, instanceIdentifier, { encryptionKey: props.logKey, removalPolicy }),
    );
    acknowledgeMonitoringRole(replica.node.findChild('MonitoringRole'));
    acknowledgeInstance(replica, { multiAz: false, deletionProtection: removalProtection });
    acknowledge(
      replica,
      {
        nag: ['AwsSolutions-RDS2', 'NIST.800.53.R5-RDSStorageEncrypted', 'PCI.DSS.321-RDSStorageEncrypted'],
        checkov: ['CKV_AWS_16'],
        reason: 'Encrypted with the key of its source; CloudFormation refuses the property on a replica',
      },
      {
        nag: ['NIST.800.53.R5-RDSInBackupPlan'],
        reason: 'Holds nothing of its own: it is made again from its source, which is backed up',
      },
    );
    new CfnOutput(this, 'Endpoint', {
      description: `Host of the analytics replica of the ${name} database; connect as a read-only role`,
      value: replica.dbInstanceEndpointAddress,
    });
  }
}
