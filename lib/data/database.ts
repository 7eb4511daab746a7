import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { InstanceType, Port, SecurityGroup, SubnetType } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
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
import { HostedRotation, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { DatabaseName } from '../../lambdas/shared/contract';
import type { CreatedDatabaseConfig } from '../config/environment-schema';
import type { BackupPolicy } from '../config/policies';
import type { DatabaseAccess } from '../operations/database-access';
import { DATABASE_PARAMETERS, DATABASE_POLICIES } from './database-policies';
import type { Network } from './network';

const PORT = 5432;
/** Also what the secret's generator leaves out: characters that break connection URLs and shells. */
const EXCLUDED_PASSWORD_CHARACTERS = ' %+~`#$&*()|[]{}:;<>?!\'/@"\\,=^';
const ROTATION_DAYS = 90;
const LOG_EXPORTS = ['postgresql', 'upgrade'];

export interface DatabaseProps {
  readonly name: DatabaseName;
  readonly environmentName: string;
  readonly network: Network;
  readonly config: CreatedDatabaseConfig;
  readonly backupPolicy: BackupPolicy;
  /** Keep the data when the stack is removed. */
  readonly removalProtection: boolean;
}

/** One PostgreSQL instance with its own key, credentials, subnets and security group; nothing is shared with the other. */
export class Database extends Construct {
  readonly instance: DatabaseInstance;
  /** What the functions get to know. */
  readonly access: DatabaseAccess;

  constructor(scope: Construct, id: string, props: DatabaseProps) {
    super(scope, id);
    const { name, network, config, backupPolicy } = props;
    const policy = DATABASE_POLICIES[name];
    const retain = props.removalProtection ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    // A name of our own makes CloudFormation refuse any change that would replace the instance, instead of doing it.
    const instanceIdentifier = `billing-operations-${props.environmentName}-${name}`;

    const key = new Key(this, 'Key', {
      description: `Storage and credentials of the ${name} database (${props.environmentName})`,
      enableKeyRotation: true,
      removalPolicy: retain,
    });
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: network.vpc,
      description: `The ${name} database. Each consumer adds the rule that lets it in`,
      allowAllOutbound: false,
    });
    const secret = new Secret(this, 'Credentials', {
      description: `Credentials of the ${name} database (${props.environmentName})`,
      encryptionKey: key,
      generateSecretString: {
        // Without `ssl`, AWS's rotation function falls back to a connection in plaintext, which the server refuses.
        secretStringTemplate: JSON.stringify({ username: policy.adminUser, ssl: true }),
        generateStringKey: 'password',
        passwordLength: 40,
        excludeCharacters: EXCLUDED_PASSWORD_CHARACTERS,
      },
      removalPolicy: retain,
    });
    const engine = DatabaseInstanceEngine.postgres({ version: PostgresEngineVersion.VER_17 });
    const logGroups = LOG_EXPORTS.map(
      (log) =>
        // Made before RDS makes them without an expiry. A year, because that is how long PCI wants access logs kept.
        new LogGroup(this, `${log}Log`, {
          logGroupName: `/aws/rds/instance/${instanceIdentifier}/${log}`,
          retention: RetentionDays.ONE_YEAR,
          removalPolicy: retain,
        }),
    );

    this.instance = new DatabaseInstance(this, 'Instance', {
      instanceIdentifier,
      engine,
      engineLifecycleSupport: EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED,
      instanceType: new InstanceType(config.instanceClass),
      databaseName: policy.databaseName,
      port: PORT,
      credentials: Credentials.fromSecret(secret, policy.adminUser),
      iamAuthentication: true,
      caCertificate: CaCertificate.RDS_CA_RSA2048_G1,

      vpc: network.vpc,
      subnetGroup: new SubnetGroup(this, 'Subnets', {
        vpc: network.vpc,
        description: `Isolated subnets of the ${name} database`,
        vpcSubnets: { subnets: network.databaseSubnets(name) },
        removalPolicy: retain,
      }),
      networkType: NetworkType.IPV4,
      securityGroups: [securityGroup],
      publiclyAccessible: false,
      multiAz: config.multiAz,

      storageEncrypted: true,
      storageEncryptionKey: key,
      storageType: StorageType.GP3,
      allocatedStorage: config.allocatedStorageGiB,
      maxAllocatedStorage: config.maximumStorageGiB,

      backupRetention: Duration.days(backupPolicy.pointInTimeDays),
      preferredBackupWindow: policy.automatedBackupWindow,
      copyTagsToSnapshot: true,
      // Outlive the instance, so that a mistaken removal can be undone from them.
      deleteAutomatedBackups: !props.removalProtection,
      deletionProtection: props.removalProtection,
      removalPolicy: retain,

      preferredMaintenanceWindow: policy.maintenanceWindow,
      autoMinorVersionUpgrade: true,
      allowMajorVersionUpgrade: false,
      // A change of class restarts the instance: leave it to the maintenance window.
      applyImmediately: false,

      parameterGroup: new ParameterGroup(this, 'Parameters', {
        engine,
        description: `Settings of the ${name} database`,
        parameters: { ...DATABASE_PARAMETERS },
      }),
      cloudwatchLogsExports: LOG_EXPORTS,
      monitoringInterval: Duration.minutes(1),
      enablePerformanceInsights: true,
      performanceInsightEncryptionKey: key,
      performanceInsightRetention: PerformanceInsightRetention.DEFAULT,
      databaseInsightsMode: DatabaseInsightsMode.STANDARD,
    });
    this.instance.node.addDependency(...logGroups);

    this.rotateCredentials(network);

    this.access = {
      name,
      host: this.instance.dbInstanceEndpointAddress,
      port: PORT,
      databaseName: policy.databaseName,
      secretArn: secret.secretArn,
      secretKey: key,
      securityGroup,
      instanceIdentifier,
      allocatedStorageGiB: config.allocatedStorageGiB,
    };
  }

  private rotateCredentials(network: Network): void {
    const secret = this.instance.secret;
    if (!secret) throw new Error('The instance was made without a secret');
    const rotation = HostedRotation.postgreSqlSingleUser({
      vpc: network.vpc,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
      excludeCharacters: EXCLUDED_PASSWORD_CHARACTERS,
    });
    secret.addRotationSchedule('Rotation', {
      hostedRotation: rotation,
      automaticallyAfter: Duration.days(ROTATION_DAYS),
      // A deployment must not change a password that running functions hold.
      rotateImmediatelyOnUpdate: false,
    });
    // The rotation function is in a security group of its own, with no way to the database until it is let in.
    this.instance.connections.allowFrom(rotation, Port.tcp(PORT), 'The rotation function changes the password');
  }
}
