import { CfnOutput, Duration, RemovalPolicy } from 'aws-cdk-lib';
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
import { admit } from './admit';
import { CERTIFICATE_AUTHORITY, POSTGRES_ENGINE, POSTGRES_PORT, type Database } from './database';
import { DATABASE_POLICIES, replicaParameters } from '../config/database-policies';
import { LOG_EXPORTS } from '../../core/database/contract';
import { exportedLogs } from './exported-logs';
import type { DatabaseNetwork } from './network';

export interface AnalyticsReplicaProps {
  /** Database that is copied. */
  readonly database: Database;
  /** Network of the databases. */
  readonly network: DatabaseNetwork;
  /** Whether there is a replica. Its logs stay without it, because their names are those of the logs of the next one. */
  readonly enabled: boolean;
  /** Class and storage, which the replica shares with its source. */
  readonly config: CreatedDatabaseConfig;
  /** Encrypts the logs. */
  readonly logKey: IKey;
  /** Keep its logs when the stack is removed. */
  readonly removalProtection: boolean;
}

/** Identifier of the analytics replica of an instance. */
export function analyticsReplicaOf(instanceIdentifier: string): string {
  return `${instanceIdentifier}-analytics`;
}

/**
 * A read replica for reports and people, without backups of its own. Its queries never slow down payments. It holds nothing
 * that its source does not, so it goes when it is switched off, also where data is protected.
 */
export class AnalyticsReplica extends Construct {
  /** `undefined` without a replica. */
  readonly host: string | undefined;
  /** By which IAM knows it. `undefined` without a replica. */
  readonly resourceId: string | undefined;

  constructor(scope: Construct, id: string, props: AnalyticsReplicaProps) {
    super(scope, id);
    const { database, removalProtection } = props;
    const { name } = database.access;
    const instanceIdentifier = analyticsReplicaOf(database.settings.instanceIdentifier);
    const logs = exportedLogs(this, instanceIdentifier, {
      encryptionKey: props.logKey,
      removalPolicy: removalPolicyOf(removalProtection),
    });
    if (!props.enabled) return;
    const replica = this.replica(props, instanceIdentifier);
    replica.node.addDependency(...logs);
    this.host = replica.dbInstanceEndpointAddress;
    this.resourceId = replica.instanceResourceId;
    new CfnOutput(this, 'Endpoint', {
      description: `Host of the analytics replica of the ${name} database; connect as a read-only role`,
      value: this.host,
    });
  }

  private replica({ database, network, config }: AnalyticsReplicaProps, instanceIdentifier: string) {
    const { name } = database.access;
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: network.vpc,
      description: `The analytics replica of the ${name} database. Each consumer adds the rule that lets it in`,
      allowAllOutbound: false,
    });
    admit(securityGroup, POSTGRES_PORT, config.admitToReplica, `the analytics replica of the ${name} database`);
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
      securityGroups: [securityGroup],
      publiclyAccessible: false,
      // Reports can wait until a lost replica is created again.
      multiAz: false,
      // Encrypted with the key of the source; in the same region RDS accepts no other.
      storageType: StorageType.GP3,
      // A limit of its own: the replica does not follow the growth of the primary.
      maxAllocatedStorage: config.maximumStorageGiB,
      copyTagsToSnapshot: true,
      deletionProtection: false,
      removalPolicy: RemovalPolicy.DESTROY,
      preferredMaintenanceWindow: DATABASE_POLICIES[name].maintenanceWindow,
      autoMinorVersionUpgrade: true,
      applyImmediately: false,
      parameterGroup: new ParameterGroup(this, 'Parameters', {
        engine: POSTGRES_ENGINE,
        description: `Settings of the analytics replica of the ${name} database`,
        parameters: replicaParameters(name),
      }),
      cloudwatchLogsExports: [...LOG_EXPORTS],
      monitoringInterval: Duration.minutes(1),
      enablePerformanceInsights: true,
      performanceInsightEncryptionKey: database.key,
      performanceInsightRetention: PerformanceInsightRetention.DEFAULT,
      databaseInsightsMode: DatabaseInsightsMode.STANDARD,
    });
    acknowledgeMonitoringRole(replica.node.findChild('MonitoringRole'));
    acknowledgeInstance(replica, { multiAz: false, deletionProtection: false });
    acknowledge(
      replica,
      {
        nag: ['AwsSolutions-RDS2', 'NIST.800.53.R5-RDSStorageEncrypted', 'PCI.DSS.321-RDSStorageEncrypted'],
        checkov: ['CKV_AWS_16'],
        reason: 'Encrypted with the key of its source; CloudFormation refuses the property on a replica',
      },
      {
        nag: ['NIST.800.53.R5-RDSInBackupPlan'],
        reason: 'It holds no data of its own: it can be created again from its source, which is backed up',
      },
    );
    return replica;
  }
}
