import type { DatabaseName } from '../../../core/contract';
import { BACKUP_POLICIES } from '../../config/policies';
import type { ExistingInstance } from '../../data/existing-instance';
import { LOG_EXPORTS } from '../../../core/database/contract';
import {
  failsWhen,
  NOT_FOUND,
  RECOVERED_AS_TAG,
  rdsTask,
  RETRY_READS,
  type RecoveryDefinitionProps,
  type Stage,
  type State,
  type States,
} from './instance-recovery-states';
import { jsonata } from './jsonata';
import { exists, NOTHING_DONE } from './request-states';
import { BACKUPS_NOT_FOUND, NEWEST_BACKUP } from './restoring-states';

/** Fields by name, each with the JSONata of its value. One whose value is nothing is left out. */
type Fields = Readonly<Record<string, string>>;

/** Tag of a recovered instance whose settings are complete: the execution that set them. */
export const CONFIGURED_TAG = 'configured-by';
/** Seconds between two metrics of the operating system, of an instance whose former setting is unknown. */
const MONITORING_SECONDS = 60;
/** Tags that a recovery sets. */
const OUR_TAGS = ['application', 'environment', 'database', RECOVERED_AS_TAG, 'recovered-by', CONFIGURED_TAG];

const objectOf = (fields: Fields) =>
  `{${Object.entries(fields)
    .map(([name, value]) => `'${name}': ${value}`)
    .join(', ')}}`;

/** IOPS and throughput, where RDS takes them: it refuses them for a gp3 disk below 400 GiB, which has those of every such disk. */
function storageOf(of: string): Fields {
  const large = `(${of}.StorageType = 'gp3' and ${of}.AllocatedStorage >= 400)`;
  return {
    StorageType: `${of}.StorageType`,
    Iops: `(${of}.StorageType in ['io1', 'io2'] or ${large} ? ${of}.Iops)`,
    StorageThroughput: `(${large} ? ${of}.StorageThroughput)`,
  };
}

/** What a restore is given besides its references, read from the instance in use. */
function restoredFromInstance(of: string): Fields {
  return {
    DbInstanceClass: `${of}.DbInstanceClass`,
    EngineLifecycleSupport: `${of}.EngineLifecycleSupport`,
    NetworkType: `${of}.NetworkType`,
    Port: `${of}.Endpoint.Port`,
    VpcSecurityGroupIds: `[${of}.VpcSecurityGroups.VpcSecurityGroupId]`,
    MultiAZ: `${of}.MultiAZ`,
    PubliclyAccessible: `${of}.PubliclyAccessible`,
    DeletionProtection: `${of}.DeletionProtection`,
    EnableIAMDatabaseAuthentication: `${of}.IamDatabaseAuthenticationEnabled`,
    CopyTagsToSnapshot: `${of}.CopyTagsToSnapshot`,
    AutoMinorVersionUpgrade: `${of}.AutoMinorVersionUpgrade`,
    DedicatedLogVolume: `${of}.DedicatedLogVolume`,
    EnableCloudwatchLogsExports: `[${of}.EnabledCloudwatchLogsExports]`,
    CaCertificateIdentifier: `${of}.CaCertificateIdentifier`,
    ...storageOf(of),
  };
}

/** The same of an instance that is gone: by the settings, and by what RDS keeps with its backups. */
function restoredFromBackups(settings: ExistingInstance, of: string): Fields {
  return {
    DbInstanceClass: `'${settings.instanceClass}'`,
    Port: String(settings.port),
    VpcSecurityGroupIds: jsonata(settings.securityGroupIds),
    MultiAZ: String(settings.multiAz),
    PubliclyAccessible: 'false',
    DeletionProtection: String(settings.removalProtection),
    EnableIAMDatabaseAuthentication: `${of}.IamDatabaseAuthenticationEnabled`,
    CopyTagsToSnapshot: 'true',
    AutoMinorVersionUpgrade: 'true',
    DedicatedLogVolume: `${of}.DedicatedLogVolume`,
    EnableCloudwatchLogsExports: jsonata(LOG_EXPORTS),
    ...storageOf(of),
  };
}

/** What cannot be set while an instance is restored, read from the instance in use. */
function configuredFromInstance({ monitoringRoleArn, keys }: ExistingInstance, of: string): Fields {
  const monitored = monitoringRoleArn !== undefined && `${of}.MonitoringInterval > 0`;
  const insights = (field: string) => `(${of}.PerformanceInsightsEnabled ? ${of}.${field})`;
  const known = `[${keys.map(({ keyArn }) => `'${keyArn}'`).join(', ')}]`;
  return {
    BackupRetentionPeriod: `${of}.BackupRetentionPeriod`,
    PreferredBackupWindow: `${of}.PreferredBackupWindow`,
    PreferredMaintenanceWindow: `${of}.PreferredMaintenanceWindow`,
    MonitoringInterval: monitored === false ? '0' : `(${monitored} ? ${of}.MonitoringInterval : 0)`,
    ...(monitored === false ? {} : { MonitoringRoleArn: `(${monitored} ? '${monitoringRoleArn}')` }),
    EnablePerformanceInsights: `${of}.PerformanceInsightsEnabled`,
    DatabaseInsightsMode: insights('DatabaseInsightsMode'),
    PerformanceInsightsRetentionPeriod: insights('PerformanceInsightsRetentionPeriod'),
    // Another key than those named is that of RDS, or one that the role may not use: RDS then takes its own.
    PerformanceInsightsKMSKeyId: `(${of}.PerformanceInsightsEnabled and ${of}.PerformanceInsightsKMSKeyId in ${known} ? ${of}.PerformanceInsightsKMSKeyId)`,
  };
}

/** The same of an instance that is gone. */
function configuredFromSettings({ monitoringRoleArn }: ExistingInstance, database: DatabaseName): Fields {
  return {
    BackupRetentionPeriod: String(BACKUP_POLICIES[database].pointInTimeDays),
    ...(monitoringRoleArn === undefined
      ? {}
      : { MonitoringInterval: String(MONITORING_SECONDS), MonitoringRoleArn: `'${monitoringRoleArn}'` }),
  };
}

/** Where the instance in use is other than the settings say, which a recovery follows: a list of texts. */
function differences(settings: ExistingInstance, of: string): string {
  const { subnetGroupName, parameterGroupName, optionGroupName, monitoringRoleArn } = settings;
  const differs = (holds: string, what: string, actual: string, expected: string) =>
    `(${holds} ? [] : ['${what} ' & ${actual} & ', not ${expected}'])`;
  const group = `${of}.DbSubnetGroup.DbSubnetGroupName`;
  const parameters = `${of}.DbParameterGroups.DbParameterGroupName`;
  const options = `${of}.OptionGroupMemberships.OptionGroupName`;
  const role = `${of}.MonitoringRoleArn`;
  const list = [
    differs(`${group} = '${subnetGroupName}'`, 'the subnet group', group, subnetGroupName),
    differs(
      `'${parameterGroupName}' in ${parameters}`,
      'the parameter group',
      `$join([${parameters}], ' ')`,
      parameterGroupName,
    ),
    optionGroupName === undefined
      ? differs(
          `$count([${options}][$not($contains($, /^default:/))]) = 0`,
          'the option group',
          `$join([${options}], ' ')`,
          'a default one',
        )
      : differs(`'${optionGroupName}' in ${options}`, 'the option group', `$join([${options}], ' ')`, optionGroupName),
    monitoringRoleArn === undefined
      ? differs(`$not($exists(${role}))`, 'the monitoring role', role, 'none')
      : differs(
          `($exists(${role}) ? ${role} = '${monitoringRoleArn}' : true)`,
          'the monitoring role',
          role,
          monitoringRoleArn,
        ),
  ];
  return `[${list.join(', ')}]`;
}

/** What the check of an instance looks at. */
const SOURCE: Fields = {
  engine: '$i.Engine',
  inCluster: '$exists($i.DbClusterIdentifier)',
  port: '$i.Endpoint.Port',
};

const UNTOUCHED = 'Nothing in use was touched.';
/** Evaluates JSONata with a variable. */
const using = (variable: string, value: string) => `{% (${variable}; ${value}) %}`;

/** Variables that the instance in use says. */
function readFromInstance({ database }: RecoveryDefinitionProps, settings: ExistingInstance): State {
  const instance = '$i := $states.result.DbInstances[0]';
  const isOurs = `Key in [${OUR_TAGS.map((tag) => `'${tag}'`).join(', ')}]`;
  return {
    source: using(instance, objectOf({ ...SOURCE, days: '$i.BackupRetentionPeriod' })),
    restoredAs: using(instance, objectOf(restoredFromInstance('$i'))),
    configuredAs: using(instance, objectOf(configuredFromInstance(settings, '$i'))),
    maximumGiB: using(instance, '$exists($i.MaxAllocatedStorage) ? $i.MaxAllocatedStorage : null'),
    copiedTags: using(instance, `[$i.TagList[$not($contains(Key, /^aws:/)) and $not(${isOurs})]]`),
    note: using(
      instance,
      `$differs := ${differences(settings, '$i')}; '${UNTOUCHED}' & ($count($differs) = 0 ? '' : ' The settings databases.${database}.recovery were followed, from which the instance differs: it has ' & $join($differs, '; ') & '.')`,
    ),
  };
}

/** The same where there is no instance. */
function readFromSettings({ database }: RecoveryDefinitionProps, settings: ExistingInstance, backup: string): State {
  return {
    restoredAs: using(`$b := ${backup}`, objectOf(restoredFromBackups(settings, '$b'))),
    configuredAs: `{% ${objectOf(configuredFromSettings(settings, database))} %}`,
    maximumGiB: settings.maximumStorageGiB ?? null,
    copiedTags: [],
    note: `${UNTOUCHED} It is gone: compare class, standby, windows and monitoring with what it had.`,
  };
}

/** The first of the states that read the settings. */
export const READ_SETTINGS = 'Look at the settings of the instance';

/**
 * States that read what an instance is like which this stack did not make, into variables: from the instance itself,
 * whatever state it is in; of one that is gone, from the environment's file and from what RDS keeps with its backups. They
 * pass their input on, and refuse what the workflow cannot recover.
 *
 * @param next state after them
 */
export function existingSettingsStates(
  props: RecoveryDefinitionProps,
  settings: ExistingInstance,
  next: string,
): States {
  const check = 'Check the instance in use';
  const gone = 'Find what its backups say of it';
  const passed = {
    Arguments: { DbInstanceIdentifier: settings.instanceIdentifier },
    Retry: RETRY_READS,
    Output: '{% $states.input %}',
  };
  return {
    [READ_SETTINGS]: rdsTask('describeDBInstances', NOTHING_DONE, {
      ...passed,
      Assign: readFromInstance(props, settings),
      Catch: [{ ErrorEquals: [NOT_FOUND], Output: '{% $states.input %}', Next: gone }],
      Next: check,
    }),
    [gone]: rdsTask('describeDBInstanceAutomatedBackups', NOTHING_DONE, {
      ...passed,
      Assign: readFromSettings(props, settings, NEWEST_BACKUP),
      Catch: [
        {
          ErrorEquals: [BACKUPS_NOT_FOUND],
          Assign: readFromSettings(props, settings, '{}'),
          Output: '{% $states.input %}',
          Next: next,
        },
      ],
      Next: next,
    }),
    [check]: {
      Type: 'Choice',
      Choices: [
        ...unsupported(props.database, settings, {
          stage: NOTHING_DONE,
          otherEngine: 'the workflow recovers instances of RDS for PostgreSQL. Recover it by RDS',
        }),
        failsWhen(
          `$source.days = 0 and $not(${exists('snapshotArn')}) and $not(${exists('recoveredInstance')})`,
          {
            ...NOTHING_DONE,
            goOn: "'Start the workflow again with snapshotArn: a snapshot or recovery point of the instance.'",
          },
          {
            error: 'NothingToRestoreFrom',
            cause: `'${settings.instanceIdentifier} has no automated backups: it keeps them for 0 days'`,
          },
        ),
      ],
      Default: next,
    },
  };
}

/** Rules of a Choice that refuse what cannot be restored, or not be connected to afterwards. */
function unsupported(
  database: DatabaseName,
  { instanceIdentifier: id, port }: ExistingInstance,
  { stage, otherEngine }: { readonly stage: Stage; readonly otherEngine: string },
): State[] {
  const refusedWhen = (condition: string, cause: string) =>
    failsWhen(condition, stage, { error: 'RequestRefused', cause });
  return [
    refusedWhen(
      "$source.engine != 'postgres' or $source.inCluster",
      `'${id} is ' & $source.engine & ($source.inCluster ? ' in a cluster' : '') & ': ${otherEngine}'`,
    ),
    refusedWhen(
      `$exists($source.port) and $source.port != ${port}`,
      `'${id} listens on port ' & $source.port & ', and the functions connect to ${port}, by which they would not reach a restored one: correct databases.${database}.port and deploy'`,
    ),
  ];
}

/** What an instance that is read and removed has of the one in use, besides its groups: where it is, and what it runs as. */
const OF_TEMPORARY: readonly string[] = [
  'DbInstanceClass',
  'EngineLifecycleSupport',
  'NetworkType',
  'VpcSecurityGroupIds',
  'CaCertificateIdentifier',
];
const ofTemporary = (fields: Fields): string =>
  objectOf(Object.fromEntries(Object.entries(fields).filter(([name]) => OF_TEMPORARY.includes(name))));

/**
 * States that read as much of such an instance as a temporary one beside it needs, into the variable `restoredAs`; of one that
 * is gone, from the environment's file. They pass their input on, and refuse what cannot be restored.
 *
 * @param next state after them
 */
export function temporarySettingsStates(database: DatabaseName, settings: ExistingInstance, next: string): States {
  const instance = '$i := $states.result.DbInstances[0]';
  const check = 'Check the instance in use';
  const stage: Stage = {
    safe: NOTHING_DONE.safe,
    goOn: `'Remove the cause (of a setting: correct databases.${database} and deploy), and start again with the same input.'`,
  };
  return {
    [READ_SETTINGS]: rdsTask('describeDBInstances', stage, {
      Arguments: { DbInstanceIdentifier: settings.instanceIdentifier },
      Retry: RETRY_READS,
      Output: '{% $states.input %}',
      Assign: {
        source: using(instance, objectOf(SOURCE)),
        restoredAs: using(instance, ofTemporary(restoredFromInstance('$i'))),
      },
      Catch: [
        {
          ErrorEquals: [NOT_FOUND],
          Assign: { restoredAs: `{% ${ofTemporary(restoredFromBackups(settings, '{}'))} %}` },
          Output: '{% $states.input %}',
          Next: next,
        },
      ],
      Next: check,
    }),
    [check]: {
      Type: 'Choice',
      Choices: unsupported(database, settings, {
        stage,
        otherEngine: `only instances of RDS for PostgreSQL are restored. Take databases.${database}.recovery out`,
      }),
      Default: next,
    },
  };
}
