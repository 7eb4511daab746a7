import { POSTGRES_PORT } from '../../data/database';
import {
  invoking,
  rds,
  RETRIED,
  untilAvailable,
  type RecoveryDefinitionProps,
  type State,
} from './instance-recovery-states';

/** How long the recovered instance waits for somebody to confirm. Both instances are kept when nobody does. */
const CONFIRMATION_SECONDS = 24 * 60 * 60;

/**
 * Everything that RDS would otherwise set to its own defaults, or to what the source had on the day of the backup. What
 * it takes no parameter for is set by {@link configuredSettings}.
 */
function restoredSettings({ settings, securityGroupId }: RecoveryDefinitionProps): State {
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
  };
}

/** What cannot be set while an instance is restored. */
function configuredSettings({ settings }: RecoveryDefinitionProps): State {
  return {
    BackupRetentionPeriod: settings.pointInTimeDays,
    PreferredBackupWindow: settings.automatedBackupWindow,
    PreferredMaintenanceWindow: settings.maintenanceWindow,
    MaxAllocatedStorage: settings.maximumStorageGiB,
    MonitoringInterval: settings.monitoringSeconds,
    MonitoringRoleArn: settings.monitoringRoleArn,
    DatabaseInsightsMode: settings.insightsMode,
    EnablePerformanceInsights: true,
    PerformanceInsightsKMSKeyId: settings.insightsKeyArn,
    PerformanceInsightsRetentionPeriod: settings.insightsDays,
  };
}

function restoring(props: RecoveryDefinitionProps): Record<string, State> {
  const { settings } = props;
  const id = settings.instanceIdentifier;
  const task = (action: string, source: State): State => ({
    Type: 'Task',
    Resource: rds(action),
    Arguments: { ...restoredSettings(props), ...source },
    Next: 'Restored',
  });
  return {
    Name: {
      Type: 'Pass',
      Comment: 'Names of the recovered instance, and of the present one once it is set aside',
      Assign: {
        startedAt: '{% $states.context.Execution.StartTime %}',
        recovered: `{% '${id}-recovered-' & $substring($uuid(), 0, 8) %}`,
        former: `{% '${id}-before-' & $substring($uuid(), 0, 8) %}`,
      },
      Next: 'Choose',
    },
    Choose: {
      Type: 'Choice',
      Choices: [
        { Condition: '{% $exists($states.input.snapshotArn) %}', Next: 'Restore from snapshot' },
        { Condition: '{% $exists($states.input.restoreTime) %}', Next: 'Restore to time' },
      ],
      Default: 'Restore to latest',
    },
    'Restore from snapshot': task('restoreDBInstanceFromDBSnapshot', {
      DbSnapshotIdentifier: '{% $states.input.snapshotArn %}',
      DbInstanceIdentifier: '{% $recovered %}',
    }),
    'Restore to time': task('restoreDBInstanceToPointInTime', {
      SourceDBInstanceIdentifier: id,
      TargetDBInstanceIdentifier: '{% $recovered %}',
      RestoreTime: '{% $states.input.restoreTime %}',
    }),
    'Restore to latest': task('restoreDBInstanceToPointInTime', {
      SourceDBInstanceIdentifier: id,
      TargetDBInstanceIdentifier: '{% $recovered %}',
      UseLatestRestorableTime: true,
    }),
    ...untilAvailable('Restored', '{% $recovered %}', 'Configure'),
    Configure: {
      Type: 'Task',
      Resource: rds('modifyDBInstance'),
      Arguments: {
        DbInstanceIdentifier: '{% $recovered %}',
        ...configuredSettings(props),
        ApplyImmediately: true,
      },
      Retry: RETRIED,
      Next: 'Configured',
    },
    ...untilAvailable('Configured', '{% $recovered %}', 'Reset password'),
  };
}

/**
 * States that read the whole disk once, which loads lazily after a restore. One call of the function is not enough for a
 * large database, so it is called until everything is read, or its share of the time is used up; a database that is not
 * warm is slow, but sound. A page that cannot be read is another matter.
 */
function warming({ database, warmFunctionArn, warmingMinutes }: RecoveryDefinitionProps): Record<string, State> {
  return {
    'Begin warming': {
      Type: 'Pass',
      Assign: {
        warmUntil: `{% $millis() + ${warmingMinutes * 60_000} %}`,
        warmed: { done: false, continueFrom: null, bytesRead: 0, bytesLeft: null, skippedPages: 0, error: null },
      },
      Next: 'Warm',
    },
    Warm: {
      ...invoking(warmFunctionArn, {
        database,
        host: '{% $host %}',
        continueFrom: '{% $warmed.continueFrom %}',
        stopAtMs: '{% $warmUntil %}',
      }),
      Assign: {
        warmed: {
          done: '{% $states.result.Payload.done %}',
          continueFrom: '{% $states.result.Payload.continueFrom %}',
          bytesRead: '{% $warmed.bytesRead + $states.result.Payload.bytesRead %}',
          bytesLeft: '{% $states.result.Payload.bytesLeft %}',
          skippedPages: '{% $warmed.skippedPages + $count($states.result.Payload.skippedPages) %}',
          error: null,
        },
      },
      // Nobody waits longer for a database because it could not be warmed.
      Catch: [
        {
          ErrorEquals: ['States.ALL'],
          Assign: { warmed: "{% $merge([$warmed, {'error': $states.errorOutput.Error}]) %}" },
          Next: 'Verify',
        },
      ],
      Next: 'Warm enough?',
    },
    'Warm enough?': {
      Type: 'Choice',
      Choices: [
        { Condition: '{% $count($states.input.unreadable) > 0 %}', Next: 'Unsound' },
        { Condition: '{% $warmed.done = false and $millis() < $warmUntil %}', Next: 'Warm' },
      ],
      Default: 'Verify',
    },
  };
}

function proving(props: RecoveryDefinitionProps): Record<string, State> {
  return {
    'Reset password': {
      ...invoking(props.resetPasswordFunctionArn, {
        database: props.database,
        instanceIdentifier: '{% $recovered %}',
        dryRun: false,
      }),
      Next: 'Password reset',
    },
    ...untilAvailable('Password reset', '{% $recovered %}', 'Begin warming'),
    ...warming(props),
    Verify: { ...invoking(props.verifyFunctionArn, { database: props.database, host: '{% $host %}' }), Next: 'Sound?' },
    'Sound?': {
      Type: 'Choice',
      Choices: [
        { Condition: '{% $states.input.sound = true %}', Assign: { report: '{% $states.input %}' }, Next: 'Ask' },
      ],
      Default: 'Unsound',
    },
    Ask: {
      Type: 'Task',
      Comment:
        'Nothing in use has been touched so far. Waits for the identifier of the present instance, typed by somebody',
      Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken',
      TimeoutSeconds: CONFIRMATION_SECONDS,
      Arguments: {
        QueueUrl: props.confirmationQueueUrl,
        MessageBody: {
          database: props.database,
          recoveredInstance: '{% $recovered %}',
          // `notChecked` names what time did not suffice for: whoever confirms decides whether to do without.
          verification: '{% $report %}',
          warming: '{% $warmed %}',
          minutes: '{% $round(($millis() - $toMillis($startedAt)) / 60000, 1) %}',
          targetMinutes: props.targetMinutes,
          confirmWith: props.settings.instanceIdentifier,
          taskToken: '{% $states.context.Task.Token %}',
        },
      },
      Output: '{% $states.result %}',
      Catch: [{ ErrorEquals: ['States.Timeout'], Next: 'Unconfirmed' }],
      Next: 'Confirmed?',
    },
    'Confirmed?': {
      Type: 'Choice',
      Choices: [
        {
          Condition: `{% $states.input.confirm = '${props.settings.instanceIdentifier}' %}`,
          Next: props.proxyName === undefined ? 'Set aside' : 'Take from proxy',
        },
      ],
      Default: 'Ask',
    },
  };
}

function cuttingOver({ settings, proxyName }: RecoveryDefinitionProps): Record<string, State> {
  const id = settings.instanceIdentifier;
  const rename = (from: string, to: string, next: string): State => ({
    Type: 'Task',
    Resource: rds('modifyDBInstance'),
    Arguments: { DbInstanceIdentifier: from, NewDBInstanceIdentifier: to, ApplyImmediately: true },
    Retry: RETRIED,
    Next: next,
  });
  const target = (action: string, next: string): State => ({
    Type: 'Task',
    Resource: rds(action),
    Arguments: { DbProxyName: proxyName, TargetGroupName: 'default', DbInstanceIdentifiers: [id] },
    Retry: RETRIED,
    Next: next,
  });
  return {
    ...(proxyName === undefined ? {} : { 'Take from proxy': target('deregisterDBProxyTargets', 'Set aside') }),
    'Set aside': rename(id, '{% $former %}', 'Aside'),
    ...untilAvailable('Aside', '{% $former %}', 'Take its place'),
    // With its name the instance takes over the host name, so that nothing has to be told where the database is.
    'Take its place': rename('{% $recovered %}', id, 'In place'),
    ...untilAvailable('In place', id, proxyName === undefined ? 'Recovered' : 'Give to proxy'),
    ...(proxyName === undefined ? {} : { 'Give to proxy': target('registerDBProxyTargets', 'Recovered') }),
    Recovered: {
      Type: 'Succeed',
      Output: { instance: id, former: '{% $former %}', verification: '{% $report %}', warming: '{% $warmed %}' },
    },
  };
}

const FAILURES: Record<string, State> = {
  Unusable: {
    Type: 'Fail',
    Error: 'InstanceUnusable',
    Cause: 'RDS gave up on an instance: see its events. The instance in use was not replaced',
  },
  Unsound: {
    Type: 'Fail',
    Error: 'InstanceUnsound',
    Cause: 'The recovered database is not sound: see the output of Warm or Verify. The instance in use was not touched',
  },
  Unconfirmed: {
    Type: 'Fail',
    Error: 'CutOverUnconfirmed',
    Cause: 'Nobody confirmed the cut-over in time. Both instances are kept; the one in use was not touched',
  },
};

/** The workflow, in the Amazon States Language with JSONata. */
export function recoveryDefinition(props: RecoveryDefinitionProps): State & { States: Record<string, State> } {
  return {
    Comment: `Recovers the instance of the ${props.database} database beside the one in use, and cuts over when told to`,
    QueryLanguage: 'JSONata',
    StartAt: 'Name',
    States: { ...restoring(props), ...proving(props), ...cuttingOver(props), ...FAILURES },
  };
}
