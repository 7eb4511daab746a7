import type { DatabaseName } from '../../../core/contract';
import { POSTGRES_PORT } from '../../data/database';
import { isExisting } from '../../data/existing-instance';
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
import { CONFIGURED_TAG, existingSettingsStates, READ_SETTINGS } from './existing-settings-states';
import { jsonata, withFields, type Arguments } from './jsonata';
import { exists, PREPARE, preparationStates, requestStates } from './request-states';
import { restoringStates } from './restoring-states';

/** Nothing that the recovery makes exists yet, or nothing that is worth keeping. */
export const RESTORING: Stage = {
  safe: 'The instance in use was not touched.',
  goOn: "'Remove the cause and start the workflow again with the same input; it makes another instance, so delete ' & $recovered & ' if it exists.'",
};
/** The same of an existing instance, of which a setting may be at fault. */
const restoringExisting = (database: DatabaseName): Stage => ({
  ...RESTORING,
  goOn: `'Remove the cause (of a class, group or key: correct databases.${database}.recovery and deploy) and start the workflow again with the same input; it makes another instance, so delete ' & $recovered & ' if it exists.'`,
});
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

/** Tags of a recovered instance. */
function tagsOf({ environmentName, database }: RecoveryDefinitionProps): State[] {
  return [
    { Key: 'application', Value: 'billing-operations' },
    { Key: 'environment', Value: environmentName },
    { Key: 'database', Value: database },
    { Key: RECOVERED_AS_TAG, Value: '{% $recovered %}' },
    { Key: 'recovered-by', Value: '{% $states.context.Execution.Name %}' },
  ];
}

/**
 * Everything that RDS would otherwise set to its own defaults, or to what the source had on the day of the backup. What
 * it takes no parameter for is set by {@link configuredSettings}.
 */
function restoredSettings(props: RecoveryDefinitionProps): Arguments {
  const { settings, securityGroupId } = props;
  if (isExisting(settings)) {
    return withFields('{% $restoredAs %}', {
      DbSubnetGroupName: settings.subnetGroupName,
      DbParameterGroupName: settings.parameterGroupName,
      OptionGroupName: settings.optionGroupName,
      Tags: `{% $append($copiedTags, ${jsonata(tagsOf(props))}) %}`,
    });
  }
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
    Tags: tagsOf(props),
  };
}

/** RDS refuses a limit that is not at least 10 % above the disk, and autoscaling may have grown that past our setting. */
const storageLimit = (gibibytes: string) => `$max([${gibibytes}, $ceil($allocatedGiB * 11 / 10)])`;

/** What cannot be set while an instance is restored. */
function configuredSettings({ settings }: RecoveryDefinitionProps): Arguments {
  if (isExisting(settings)) {
    return withFields('{% $configuredAs %}', {
      MaxAllocatedStorage: `{% ($maximumGiB != null ? ${storageLimit('$maximumGiB')}) %}`,
    });
  }
  return {
    BackupRetentionPeriod: settings.pointInTimeDays,
    PreferredBackupWindow: settings.automatedBackupWindow,
    PreferredMaintenanceWindow: settings.maintenanceWindow,
    MaxAllocatedStorage: `{% ${storageLimit(String(settings.maximumStorageGiB))} %}`,
    MonitoringInterval: settings.monitoringSeconds,
    MonitoringRoleArn: settings.monitoringRoleArn,
    DatabaseInsightsMode: settings.insightsMode,
    EnablePerformanceInsights: true,
    PerformanceInsightsKMSKeyId: settings.insightsKeyArn,
    PerformanceInsightsRetentionPeriod: settings.insightsDays,
  };
}

const CONFIGURE = 'Configure the recovered instance';
const SET_PASSWORD = 'Set the current password';

/**
 * An existing instance is configured once: a run that continues after it was set aside finds no instance to read its
 * settings from, and would set others. A tag says that it was done.
 */
function configuredOnce({ targetMinutes }: RecoveryDefinitionProps): States {
  return {
    'Is it configured already?': {
      Type: 'Choice',
      Choices: [
        {
          Condition: `{% $count($states.input.TagList[Key = '${CONFIGURED_TAG}']) > 0 %}`,
          ...waitingIn('Wait until configured', targetMinutes),
        },
      ],
      Default: CONFIGURE,
    },
    'Note that it is configured': rdsTask('addTagsToResource', PROVING, {
      Arguments: {
        ResourceName: '{% $states.input.DbInstanceArn %}',
        Tags: [{ Key: CONFIGURED_TAG, Value: '{% $states.context.Execution.Name %}' }],
      },
      Next: SET_PASSWORD,
    }),
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

/** From the request to a restore that can begin. */
function preparing(props: RecoveryDefinitionProps): States {
  const { settings } = props;
  if (!isExisting(settings)) {
    return { ...requestStates(props, PREPARE), ...preparationStates(props, jsonata(settings.logExports)) };
  }
  return {
    ...requestStates(props, READ_SETTINGS),
    ...existingSettingsStates(props, settings, PREPARE),
    ...preparationStates(props, '$restoredAs.EnableCloudwatchLogsExports'),
  };
}

/** From the request to an instance with all settings, and with the password of today. */
export function restoreStates(props: RecoveryDefinitionProps): States {
  const { targetMinutes } = props;
  const recovered = { instance: '{% $recovered %}', stage: PROVING, targetMinutes };
  const existing = isExisting(props.settings);
  const stage = existing ? restoringExisting(props.database) : RESTORING;
  return {
    ...preparing(props),
    ...restoringStates({
      source: props.settings.instanceIdentifier,
      settings: restoredSettings(props),
      stage,
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
      whenUnusable: stage,
      next: existing ? 'Is it configured already?' : CONFIGURE,
    }),
    ...continuing(props),
    ...(existing ? configuredOnce(props) : {}),
    [CONFIGURE]: rdsTask('modifyDBInstance', PROVING, {
      Arguments: withFields(configuredSettings(props), {
        DbInstanceIdentifier: '{% $recovered %}',
        ApplyImmediately: true,
      }),
      ...waitingIn('Wait until configured', targetMinutes),
    }),
    ...untilReady({
      ...recovered,
      wait: 'Wait until configured',
      next: {
        Next: existing ? 'Note that it is configured' : SET_PASSWORD,
        Assign: { masterUsername: '{% $states.input.MasterUsername %}' },
      },
    }),
    [SET_PASSWORD]: invoking(
      props.resetPasswordFunctionArn,
      {
        database: props.database,
        instanceIdentifier: '{% $recovered %}',
        masterUsername: '{% $masterUsername %}',
        dryRun: false,
      },
      PROVING,
      waitingIn('Wait until the password is set', targetMinutes),
    ),
    ...untilReady({ ...recovered, wait: 'Wait until the password is set', next: 'Begin warming' }),
  };
}
