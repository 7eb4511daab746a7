import { Duration } from 'aws-cdk-lib';
import { InstanceType, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { ManagedPolicy, Role } from 'aws-cdk-lib/aws-iam';
import { Key, type IKey } from 'aws-cdk-lib/aws-kms';
import {
  CaCertificate,
  Credentials,
  DatabaseInstance,
  DatabaseInstanceEngine,
  DatabaseInsightsMode,
  EngineLifecycleSupport,
  NetworkType,
  ParameterGroup,
  PerformanceInsightRetention,
  PostgresEngineVersion,
  StorageType,
  SubnetGroup,
} from 'aws-cdk-lib/aws-rds';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { DatabaseName } from '../../core/contract';
import { acknowledge } from '../policy/acknowledge';
import type { CreatedDatabaseConfig } from '../config/environment-schema';
import type { BackupPolicy } from '../config/policies';
import { removalPolicyOf } from '../config/removal-policy';
import { admit } from './admit';
import type { DatabaseAccess } from './database-access';
import { acknowledgeInstance, acknowledgeMonitoringRole } from '../policy/acknowledge-instance';
import { serviceOfAccount } from '../policy/service-principal';
import { databaseParameters, DATABASE_POLICIES } from '../config/database-policies';
import type { BackupAccount } from './backup-account';
import { guardKey, shareForCopies } from './guarded-key';
import { LOG_EXPORTS } from '../../core/database/contract';
import { exportedLogs } from './exported-logs';
import type { DatabaseNetwork } from './network';
import { EXCLUDED_PASSWORD_CHARACTERS, rotatePassword } from './password-rotation';

export const POSTGRES_PORT = 5432;
export const POSTGRES_ENGINE = DatabaseInstanceEngine.postgres({ version: PostgresEngineVersion.VER_17 });
/** Standard authority of RDS; `NODE_EXTRA_CA_CERTS` and current drivers trust it. */
export const CERTIFICATE_AUTHORITY = CaCertificate.RDS_CA_RSA2048_G1;
/** No extended support, which RDS would charge per core without asking: upgrades of the major version are planned. */
const LIFECYCLE_SUPPORT = EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED;
/** Between two metrics of the operating system. */
const MONITORING = Duration.minutes(1);
/**
 * Standard, with its seven days: enough to look at an incident, and durations of statements are metrics of our own, kept
 * for 15 months. Advanced is charged for each core and can be switched on while the database runs.
 */
const INSIGHTS = { mode: DatabaseInsightsMode.STANDARD, days: PerformanceInsightRetention.DEFAULT } as const;

export interface DatabaseProps {
  /** Which of the two databases it is. */
  readonly name: DatabaseName;
  /** Name of the environment, which names contain. */
  readonly environmentName: string;
  /** Network that the instance is in. */
  readonly network: DatabaseNetwork;
  /** Class, storage and standby. */
  readonly config: CreatedDatabaseConfig;
  /** Says how far back any second can be recovered. */
  readonly backupPolicy: BackupPolicy;
  /** Encrypts the logs. */
  readonly logKey: IKey;
  /** Keep the data when the stack is removed. */
  readonly removalProtection: boolean;
  /** Role that may end the key of the database. @default - nobody may */
  readonly breakGlassRoleArn: string | undefined;
  /** Account that recovery points are copied to. @default - none */
  readonly backupAccount: BackupAccount | undefined;
}

/** What a recovery refers to, whoever made the instance: its role is allowed to use exactly these. */
export interface InstanceReferences {
  /** RDS identifier of the instance in use. */
  readonly instanceIdentifier: string;
  /** Subnets that the instance may be in. */
  readonly subnetGroupName: string;
  /** Settings of PostgreSQL. */
  readonly parameterGroupName: string;
  /** @default - the default option group of RDS */
  readonly optionGroupName?: string;
  /** Role that writes the metrics of the operating system. @default - none */
  readonly monitoringRoleArn?: string;
  /** Keys of the storage and of Database Insights. @default - that of RDS */
  readonly keys: readonly IKey[];
  /** Whether the instance refuses to be deleted. */
  readonly removalProtection: boolean;
}

/** Settings that RDS resets to its own defaults when it restores an instance. */
export interface InstanceSettings extends InstanceReferences {
  /** With `db.`, such as `db.m7g.large`. */
  readonly instanceClass: string;
  /** `IPV4` or `DUAL`. */
  readonly networkType: string;
  /** Whether RDS charges for extended support instead of upgrading. */
  readonly engineLifecycleSupport: string;
  /** Role that writes the metrics of the operating system. */
  readonly monitoringRoleArn: string;
  /** Seconds between two metrics of the operating system. */
  readonly monitoringSeconds: number;
  /** Whether there is a standby in another zone. */
  readonly multiAz: boolean;
  /** GiB up to which storage grows automatically. */
  readonly maximumStorageGiB: number;
  /** Logs that RDS writes to CloudWatch. */
  readonly logExports: readonly string[];
  /** Identifier of the authority that signs the certificate of the server. */
  readonly certificateAuthority: string;
  /** `standard` or `advanced`. */
  readonly insightsMode: string;
  /** Days that Database Insights keeps. */
  readonly insightsDays: number;
  /** Key that Database Insights encrypts with. */
  readonly insightsKeyArn: string;
  /** Days that the instance can be recovered to any second of. */
  readonly pointInTimeDays: number;
  /** In UTC, as `hh:mm-hh:mm`. */
  readonly automatedBackupWindow: string;
  /** In UTC, as `Ddd:hh:mm-Ddd:hh:mm`. */
  readonly maintenanceWindow: string;
}

/** One PostgreSQL instance with its own key, credentials, subnets and security group. The two databases share nothing. */
export class Database extends Construct {
  readonly instance: DatabaseInstance;
  readonly secret: Secret;
  readonly key: Key;
  readonly securityGroup: SecurityGroup;
  readonly subnetGroup: SubnetGroup;
  /** Settings that the recovery workflow applies again to an instance restored in place of this one. */
  readonly settings: InstanceSettings;
  /** Access for the functions. */
  readonly access: DatabaseAccess;

  constructor(scope: Construct, id: string, props: DatabaseProps) {
    super(scope, id);
    const { name, network, config, backupPolicy } = props;
    const policy = DATABASE_POLICIES[name];
    const retain = removalPolicyOf(props.removalProtection);
    // With a fixed name, CloudFormation rejects every change that would replace the instance.
    const instanceIdentifier = `billing-operations-${props.environmentName}-${name}`;

    this.key = new Key(this, 'Key', {
      description: `Storage and credentials of the ${name} database (${props.environmentName})`,
      enableKeyRotation: true,
      removalPolicy: retain,
    });
    // Its loss would be that of the recovery points in this region too, which RDS encrypts with it.
    if (props.removalProtection) guardKey(this.key, props.breakGlassRoleArn);
    if (props.backupAccount) shareForCopies(this.key, props.backupAccount.account);
    this.securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: network.vpc,
      description: `The ${name} database. Each consumer adds the rule that lets it in`,
      allowAllOutbound: false,
    });
    admit(this.securityGroup, POSTGRES_PORT, config.admit, `the ${name} database`);
    this.secret = new Secret(this, 'Credentials', {
      description: `Credentials of the ${name} database (${props.environmentName})`,
      encryptionKey: this.key,
      generateSecretString: {
        // Without `ssl`, AWS's rotation function falls back to a connection in plaintext, which the server refuses.
        secretStringTemplate: JSON.stringify({ username: policy.adminUser, ssl: true }),
        generateStringKey: 'password',
        passwordLength: 40,
        excludeCharacters: EXCLUDED_PASSWORD_CHARACTERS,
      },
      removalPolicy: retain,
    });
    this.subnetGroup = new SubnetGroup(this, 'Subnets', {
      // Fixed names, so that the recovery workflow can assign them to a restored instance.
      subnetGroupName: instanceIdentifier,
      vpc: network.vpc,
      description: `Isolated subnets of the ${name} database`,
      vpcSubnets: { subnets: network.databaseSubnets(name) },
      removalPolicy: retain,
    });
    const parameterGroupName = `${instanceIdentifier}-postgres17`;
    const parameterGroup = new ParameterGroup(this, 'Parameters', {
      // The name contains the major version: a group cannot change its family, and a replacement needs another name.
      name: parameterGroupName,
      engine: POSTGRES_ENGINE,
      description: `Settings of the ${name} database`,
      parameters: databaseParameters(name),
      removalPolicy: retain,
    });
    const monitoringRole = new Role(this, 'MonitoringRole', {
      assumedBy: serviceOfAccount(this, 'monitoring.rds.amazonaws.com'),
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonRDSEnhancedMonitoringRole')],
    });

    this.instance = new DatabaseInstance(this, 'Instance', {
      instanceIdentifier,
      engine: POSTGRES_ENGINE,
      engineLifecycleSupport: LIFECYCLE_SUPPORT,
      instanceType: new InstanceType(config.instanceClass),
      databaseName: policy.databaseName,
      port: POSTGRES_PORT,
      credentials: Credentials.fromSecret(this.secret, policy.adminUser),
      iamAuthentication: true,
      caCertificate: CERTIFICATE_AUTHORITY,

      vpc: network.vpc,
      subnetGroup: this.subnetGroup,
      networkType: NetworkType.IPV4,
      securityGroups: [this.securityGroup],
      publiclyAccessible: false,
      multiAz: config.multiAz,

      storageEncrypted: true,
      storageEncryptionKey: this.key,
      storageType: StorageType.GP3,
      allocatedStorage: config.allocatedStorageGiB,
      maxAllocatedStorage: config.maximumStorageGiB,

      backupRetention: Duration.days(backupPolicy.pointInTimeDays),
      preferredBackupWindow: policy.automatedBackupWindow,
      copyTagsToSnapshot: true,
      // Automated backups outlive the instance, so that a mistaken deletion can be undone.
      deleteAutomatedBackups: !props.removalProtection,
      deletionProtection: props.removalProtection,
      removalPolicy: retain,

      preferredMaintenanceWindow: policy.maintenanceWindow,
      autoMinorVersionUpgrade: true,
      allowMajorVersionUpgrade: false,
      // A change of class restarts the instance: it waits for the maintenance window.
      applyImmediately: false,

      parameterGroup,
      cloudwatchLogsExports: [...LOG_EXPORTS],
      monitoringInterval: MONITORING,
      monitoringRole,
      enablePerformanceInsights: true,
      performanceInsightEncryptionKey: this.key,
      performanceInsightRetention: INSIGHTS.days,
      databaseInsightsMode: INSIGHTS.mode,
    });
    this.instance.node.addDependency(
      ...exportedLogs(this, instanceIdentifier, { encryptionKey: props.logKey, removalPolicy: retain }),
    );
    acknowledgeInstance(this.instance, {
      multiAz: config.multiAz,
      deletionProtection: props.removalProtection,
    });
    acknowledge(this.instance, {
      cfnLint: ['W3691'],
      reason:
        'Only the major version is pinned: RDS creates the instance with the newest minor version and updates it in the maintenance window',
    });
    acknowledgeMonitoringRole(monitoringRole);

    // The attached one, which also says where the database is.
    const secret = this.instance.secret;
    if (!secret) throw new Error('The instance was created without a secret');
    const rotation = rotatePassword(this, { ...props, secret });
    // The rotation function has a security group of its own, which the database has to admit.
    this.instance.connections.allowFrom(
      rotation,
      Port.tcp(POSTGRES_PORT),
      'The rotation function changes the password',
    );

    this.access = {
      name,
      host: this.instance.dbInstanceEndpointAddress,
      port: POSTGRES_PORT,
      databaseName: policy.databaseName,
      secretArn: this.secret.secretArn,
      secretKey: this.key,
      securityGroup: this.securityGroup,
      instanceIdentifier,
      allocatedStorageGiB: config.allocatedStorageGiB,
    };
    this.settings = {
      instanceIdentifier,
      subnetGroupName: instanceIdentifier,
      parameterGroupName,
      instanceClass: `db.${config.instanceClass}`,
      networkType: NetworkType.IPV4,
      engineLifecycleSupport: LIFECYCLE_SUPPORT,
      monitoringRoleArn: monitoringRole.roleArn,
      monitoringSeconds: MONITORING.toSeconds(),
      multiAz: config.multiAz,
      maximumStorageGiB: config.maximumStorageGiB,
      logExports: LOG_EXPORTS,
      certificateAuthority: CERTIFICATE_AUTHORITY.toString(),
      insightsMode: INSIGHTS.mode,
      insightsDays: INSIGHTS.days,
      insightsKeyArn: this.key.keyArn,
      pointInTimeDays: backupPolicy.pointInTimeDays,
      automatedBackupWindow: policy.automatedBackupWindow,
      maintenanceWindow: policy.maintenanceWindow,
      keys: [this.key],
      removalProtection: props.removalProtection,
    };
  }
}
