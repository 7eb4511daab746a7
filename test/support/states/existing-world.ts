import type { DatabaseName } from '../../../core/contract';
import {
  defineEnvironment,
  type EnvironmentConfig,
  type EnvironmentInput,
} from '../../../lib/config/environment-schema';
import type { Synthesised } from '../../lib/support';
import { synthesise } from '../../lib/synthesise';
import { exampleEnvironment } from '../example-environments';
import type { JsonObject } from '../../../local/states/definition';
import { RecoveryWorld } from './recovery-world';

const ACCOUNT = '333333333333';
/** Key of the storage and of the insights of the instances. */
export const INSTANCE_KEY = `arn:aws:kms:eu-central-1:${ACCOUNT}:key/00000000-0000-0000-0000-000000000001`;
/** Role of their monitoring. */
export const MONITORING_ROLE = `arn:aws:iam::${ACCOUNT}:role/rds-monitoring`;

const secret = (name: string) => `arn:aws:secretsmanager:eu-central-1:${ACCOUNT}:secret:${name}-AbCdEf`;
const existing = {
  kind: 'existing',
  port: 5432,
  allocatedStorageGiB: 500,
  securityGroupId: 'sg-0000000a',
} as const;
const recovery = {
  subnetGroupName: 'acme-private',
  parameterGroupName: 'acme-postgres17',
  keyArns: [INSTANCE_KEY],
  monitoringRoleArn: MONITORING_ROLE,
  instanceClass: 'm7g.large',
  multiAz: true,
  maximumStorageGiB: 1000,
};

/** Production over instances that exist: of billing behind a proxy, of main by its own host name. */
export function environmentOfExisting(): EnvironmentConfig {
  const {
    availabilityZones: _,
    network: _network,
    ...production
  } = exampleEnvironment('production') as EnvironmentInput;
  return defineEnvironment({
    ...production,
    existingNetwork: {
      vpcId: 'vpc-0000000a',
      availabilityZones: ['eu-central-1a', 'eu-central-1b'],
      privateSubnetIds: ['subnet-0000000a', 'subnet-0000000b'],
      egressAddresses: ['3.18.12.63/32'],
    },
    databases: {
      billing: {
        ...existing,
        host: 'acme.proxy-abc.eu-central-1.rds.amazonaws.com',
        databaseName: 'billing',
        secretArn: secret('billing'),
        instanceIdentifier: 'acme-billing',
        recovery: { ...recovery, optionGroupName: 'acme-options', proxyName: 'acme' },
      },
      main: {
        ...existing,
        host: 'acme-main.abc.eu-central-1.rds.amazonaws.com',
        databaseName: 'main',
        secretArn: secret('main'),
        instanceIdentifier: 'acme-main',
        recovery,
      },
    },
  });
}

let synthesised: Synthesised | undefined;
/** The templates of that environment. */
export function templatesOfExisting(): Synthesised {
  return (synthesised ??= synthesise(environmentOfExisting()));
}

/** What RDS answers about such an instance, besides its status. */
export function described(database: DatabaseName): JsonObject {
  return {
    DbInstanceClass: 'db.r7g.xlarge',
    Engine: 'postgres',
    EngineLifecycleSupport: 'open-source-rds-extended-support-disabled',
    NetworkType: 'DUAL',
    MasterUsername: 'administrator',
    DbSubnetGroup: { DbSubnetGroupName: 'acme-private' },
    DbParameterGroups: [{ DbParameterGroupName: 'acme-postgres17' }],
    OptionGroupMemberships: [
      { OptionGroupName: database === 'billing' ? 'acme-options' : 'default:postgres-17', Status: 'in-sync' },
    ],
    VpcSecurityGroups: [
      { VpcSecurityGroupId: 'sg-0000000a', Status: 'active' },
      { VpcSecurityGroupId: 'sg-0000000b', Status: 'active' },
    ],
    MultiAZ: true,
    PubliclyAccessible: false,
    DeletionProtection: true,
    IamDatabaseAuthenticationEnabled: true,
    CopyTagsToSnapshot: false,
    AutoMinorVersionUpgrade: false,
    EnabledCloudwatchLogsExports: ['postgresql'],
    CaCertificateIdentifier: 'rds-ca-ecc384-g1',
    StorageType: 'gp3',
    Iops: 12_000,
    StorageThroughput: 500,
    KmsKeyId: INSTANCE_KEY,
    BackupRetentionPeriod: 14,
    PreferredBackupWindow: '22:00-22:30',
    PreferredMaintenanceWindow: 'sat:03:00-sat:03:30',
    MaxAllocatedStorage: 2000,
    MonitoringInterval: 15,
    MonitoringRoleArn: MONITORING_ROLE,
    PerformanceInsightsEnabled: true,
    DatabaseInsightsMode: 'advanced',
    PerformanceInsightsRetentionPeriod: 465,
    PerformanceInsightsKMSKeyId: INSTANCE_KEY,
    TagList: [
      { Key: 'cost-center', Value: '4711' },
      { Key: 'aws:cloudformation:stack-name', Value: 'acme' },
      { Key: 'recovered-as', Value: 'acme-recovered-old' },
      { Key: 'configured-by', Value: 'an earlier recovery' },
    ],
  };
}

/** The world around the recovery of an existing instance, which is in use. */
export function existingInUse(database: DatabaseName, changed: JsonObject = {}): RecoveryWorld {
  const world = new RecoveryWorld(database, `acme-${database}`, templatesOfExisting);
  world.rds.restoredGiB = 500;
  const { AllocatedStorage: allocatedGiB = 500 } = changed;
  world.rds.add(world.id, 'live data', Number(allocatedGiB), { ...described(database), ...changed });
  return world;
}
