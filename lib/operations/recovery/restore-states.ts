import { POSTGRES_PORT } from '../../data/database';
import {
  IS_THE_RECOVERED_ONE,
  invoking,
  lookAt,
  otherwiseFails,
  RECOVERED_AS_TAG,
  rdsTask,
  untilReady,
  waitingIn,
  type RecoveryDefinitionProps,
  type Stage,
  type State,
  type States,
} from './instance-recovery-states';
import { exists, preparationStates, requestStates } from './request-states';
import { restoringStates } from './restoring-states';

/** Nothing that the recovery makes exists yet, or nothing that is worth keeping. */
export const RESTORING: Stage = {
  safe: 'The instance in use was not touched.',
  goOn: "'Remove the cause and start the workflow again with the same input; it makes another instance, so delete ' & $recovered & ' if it exists.'",
};
/** Neither the instance in use nor backups of it exist. */
const RESTORING_FROM_NOTHING: Stage = {
  safe: 'Recovery points and archives are kept elsewhere, and were not touched.',
  goOn: "'Start the workflow again with snapshotArn: the newest recovery point in the vault of the database.'",
};
/** The recovered instance can be used by another run. */
export const PROVING: Stage = {
  safe: 'The instance in use was not touched.',
  goOn: "'Remove the cause and start the workflow again with the input recoveredInstance = ' & $recovered & ', which uses what was restored; or with an earlier restoreTime, if the data is at fault.'",
};

/**
 * Everything that RDS would otherwise set to its own defaults, or to what the source had on the day of the backup. What
 * it takes no parameter for is set by {@link configuredSettings}.
 */
function restoredSettings({ settings, securityGroupId, environmentName, database }: RecoveryDefinitionProps): State {
  return {
    DbInstanceClass: settings.instanceClass,
    EngineLifecycleSupport: settings.engineLifecycleSupport,
    NetworkType: settings.networkType,
    Port: POSTGRES_PORT,
    DbSubnetGroupName: settings.subnetGroupName,
    VpcSecurityGroupIds: [securityGroupId],
    DbParameterGroupName: settings.parameterGroupName,
    MultiAZ: settings.multiAz,
    PubliclyAccessible: false,
    DeletionProtection: settings.removalProtection,
    EnableIAMDatabaseAuthentication: true,
    CopyTagsToSnapshot: true,
    AutoMinorVersionUpgrade: true,
    StorageType: 'gp3',
    EnableCloudwatchLogsExports: settings.logExports,
    CaCertificateIdentifier: settings.certificateAuthority,
    Tags: [
      { Key: 'application', Value: 'billing-operations' },
      { Key: 'environment', Value: environmentName },
      { Key: 'database', Value: database },
      { Key: RECOVERED_AS_TAG, Value: '{% $recovered %}' },
      { Key: 'recovered-by', Value: '{% $states.context.Execution.Name %}' },
    ],
  };
}

/** What cannot be set while an instance is restored. */
function configuredSettings({ settings }: RecoveryDefinitionProps): State {
  return {
    BackupRetentionPeriod: settings.pointInTimeDays,
    PreferredBackupWindow: settings.automatedBackupWindow,
    PreferredMaintenanceWindow: settings.maintenanceWindow,
    // RDS refuses a limit that is not at least 10 % above the disk, and autoscaling may have grown that past our setting.
    MaxAllocatedStorage: `{% $max([${settings.maximumStorageGiB}, $ceil($allocatedGiB * 11 / 10)]) %}`,
    MonitoringInterval: settings.monitoringSeconds,
    MonitoringRoleArn: settings.monitoringRoleArn,
    DatabaseInsightsMode: settings.insightsMode,
    EnablePerformanceInsights: true,
    PerformanceInsightsKMSKeyId: settings.insightsKeyArn,
    PerformanceInsightsRetentionPeriod: settings.insightsDays,
  };
}

/** An instance that a former run restored may have taken the name of the one in use already. */
function continuing({ settings, targetMinutes }: RecoveryDefinitionProps): States {
  const judge = 'Has it taken the name already?';
  return {
    'Look whether it has taken the name': lookAt(settings.instanceIdentifier, PROVING, judge),
    [judge]: {
      Type: 'Choice',
      Choices: [
        {
          Condition: `{% ${IS_THE_RECOVERED_ONE} %}`,
          ...waitingIn('Wait until it answers by the name', targetMinutes),
        },
      ],
      ...otherwiseFails(RESTORING, {
        error: 'InstanceMissing',
        cause: "'the instance ' & $recovered & ' does not exist'",
      }),
    },
  };
}

/** From the request to an instance with all settings, and with the password of today. */
export function restoreStates(props: RecoveryDefinitionProps): States {
  const { targetMinutes } = props;
  const recovered = { instance: '{% $recovered %}', stage: PROVING, targetMinutes };
  return {
    ...requestStates(props),
    ...preparationStates(props),
    ...restoringStates({
      source: props.settings.instanceIdentifier,
      settings: restoredSettings(props),
      stage: RESTORING,
      withoutBackups: RESTORING_FROM_NOTHING,
      wait: 'Wait until restored',
      targetMinutes,
      choices: [
        { Condition: `{% ${exists('recoveredInstance')} %}`, ...waitingIn('Wait until restored', targetMinutes) },
      ],
    }),
    ...untilReady({
      ...recovered,
      wait: 'Wait until restored',
      whenMissing: 'Look whether it has taken the name',
      whenUnusable: RESTORING,
      next: 'Configure the recovered instance',
    }),
    ...continuing(props),
    'Configure the recovered instance': rdsTask('modifyDBInstance', PROVING, {
      Arguments: {
        DbInstanceIdentifier: '{% $recovered %}',
        ...configuredSettings(props),
        ApplyImmediately: true,
      },
      ...waitingIn('Wait until configured', targetMinutes),
    }),
    ...untilReady({ ...recovered, wait: 'Wait until configured', next: 'Set the current password' }),
    'Set the current password': invoking(
      props.resetPasswordFunctionArn,
      { database: props.database, instanceIdentifier: '{% $recovered %}', dryRun: false },
      PROVING,
      waitingIn('Wait until the password is set', targetMinutes),
    ),
    ...untilReady({ ...recovered, wait: 'Wait until the password is set', next: 'Begin warming' }),
  };
}
