import type { DatabaseName } from '../../../core/contract';
import { TEMPORARY_INSTANCE_POLICY, TEMPORARY_TAG } from '../../config/recovery-policy';
import { POSTGRES_PORT, type InstanceReferences, type InstanceSettings } from '../../data/database';
import { type ExistingInstance, isExisting } from '../../data/existing-instance';
import { READ_SETTINGS, temporarySettingsStates } from './existing-settings-states';
import { END_IN_FAILURE, failureStates } from './failure-states';
import {
  explained,
  failsWhen,
  INVALID_STATE,
  invoking,
  IS_LATE,
  IS_MISSING,
  lookAt,
  NOT_FOUND,
  rds,
  RETRY_READS,
  untilReady,
  waitingIn,
  type Stage,
  type State,
  type States,
} from './instance-recovery-states';
import { withFields, type Arguments } from './jsonata';
import { restoringStates } from './restoring-states';

/**
 * What a temporary instance is for, which is part of its name: `<instance in use>-<purpose>-<suffix>`. Never `recovered` or
 * `before`, which are those of a recovery and are kept.
 */
export type TemporaryPurpose = 'rows' | 'archive' | 'drill';

/** What a temporary instance has of the one in use, where the stack made that. */
export type TemporaryInstanceSettings = Pick<
  InstanceSettings,
  | 'instanceIdentifier'
  | 'engineLifecycleSupport'
  | 'networkType'
  | 'subnetGroupName'
  | 'parameterGroupName'
  | 'certificateAuthority'
>;

/** An instance beside the one in use that is read and removed. Values may be tokens. */
export interface TemporaryInstanceProps {
  readonly environmentName: string;
  readonly database: DatabaseName;
  readonly purpose: TemporaryPurpose;
  /** Those of the instance in use; of an existing one what is known beforehand, and the rest is read from it. */
  readonly settings: TemporaryInstanceSettings | ExistingInstance;
  /** Of an instance that the stack made. @default - an existing one, which names its own */
  readonly securityGroupId?: string;
  /** With `db.`. @default - the smallest that serves, by the policy; beside an existing one, that of the one in use */
  readonly instanceClass?: string;
  readonly resetPasswordFunctionArn: string;
  /** State machine that removes the instance should the execution not do so; see `temporaryExpiryDefinition`. */
  readonly expiryArn: string;
  /** Hours after the start at which the expiry reminds of the instance. @default - by the policy */
  readonly remindHours?: number;
  /** Hours after the start at which the instance is removed at the latest. @default - by the policy */
  readonly keepHours?: number;
  /** Minutes that one wait for RDS may take. */
  readonly targetMinutes: number;
}

/** Prefix of the identifiers of temporary instances of one purpose. */
export function temporaryPrefix(
  { instanceIdentifier }: Pick<InstanceReferences, 'instanceIdentifier'>,
  purpose: TemporaryPurpose,
): string {
  return `${instanceIdentifier}-${purpose}-`;
}

/** Nothing was made that is worth keeping. */
const BRINGING_UP: Stage = {
  safe: 'The instance in use was not touched.',
  goOn: "'Remove the cause, and start again with the same input.'",
};
/** The same beside an existing instance, of which a setting may be at fault. */
const bringingUpExisting = (database: DatabaseName): Stage => ({
  ...BRINGING_UP,
  goOn: `'Remove the cause (of a class, group or key: correct databases.${database}.recovery and deploy), and start again with the same input.'`,
});
const WITHOUT_BACKUPS: Stage = {
  safe: 'Recovery points and archives are kept elsewhere, and were not touched.',
  goOn: "'Start again with snapshotArn: a recovery point in the vault of the database.'",
};
/** The work is done, or given up; only the instance costs. */
const REMOVING: Stage = {
  safe: 'The instance in use was not touched, and what was read from the temporary one is kept.',
  goOn: "'Delete ' & $recovered & ' if it still exists; its expiry tries so as well.'",
};

/** JSONata that gives the temporary instance its identifier, and says when it is removed: to be assigned at the start. */
export function temporaryVariables(props: TemporaryInstanceProps): State {
  const { keepHours = TEMPORARY_INSTANCE_POLICY.keepHours } = props;
  return {
    recovered: `{% '${temporaryPrefix(props.settings, props.purpose)}' & $substring($uuid(), 0, 8) %}`,
    removeAtMs: `{% $toMillis($states.context.Execution.StartTime) + ${keepHours * 3_600_000} %}`,
  };
}

/** Settings of the temporary instance. It has no standby, no monitoring and no logs: it is read, and removed. */
function temporarySettings(props: TemporaryInstanceProps): Arguments {
  const { settings, environmentName, database, purpose, instanceClass } = props;
  const own = {
    DbSubnetGroupName: settings.subnetGroupName,
    DbParameterGroupName: settings.parameterGroupName,
    MultiAZ: false,
    // Also beside an instance that has a public address: only functions in the network read the copy.
    PubliclyAccessible: false,
    DeletionProtection: false,
    EnableIAMDatabaseAuthentication: false,
    CopyTagsToSnapshot: false,
    AutoMinorVersionUpgrade: false,
    StorageType: 'gp3',
    Tags: [
      { Key: 'application', Value: 'billing-operations' },
      { Key: 'environment', Value: environmentName },
      { Key: 'database', Value: database },
      { Key: TEMPORARY_TAG, Value: purpose },
      { Key: 'made-by', Value: '{% $states.context.Execution.Name %}' },
    ],
  };
  if (isExisting(settings)) {
    return withFields('{% $restoredAs %}', {
      ...own,
      DbInstanceClass: instanceClass,
      Port: settings.port,
      OptionGroupName: settings.optionGroupName,
      // A volume of its own for the log comes with the snapshot, and gp3 cannot have one.
      DedicatedLogVolume: false,
    });
  }
  return {
    ...own,
    DbInstanceClass: instanceClass ?? TEMPORARY_INSTANCE_POLICY.instanceClass,
    EngineLifecycleSupport: settings.engineLifecycleSupport,
    NetworkType: settings.networkType,
    Port: POSTGRES_PORT,
    VpcSecurityGroupIds: [props.securityGroupId],
    CaCertificateIdentifier: settings.certificateAuthority,
  };
}

/** The first of the states that make a temporary instance. */
const START_EXPIRY = 'Start the expiry of the temporary instance';

/** The first of the states that bring a temporary instance up. */
export function bringUp({ settings }: Pick<TemporaryInstanceProps, 'settings'>): string {
  return isExisting(settings) ? READ_SETTINGS : START_EXPIRY;
}

/**
 * States from {@link bringUp} to a temporary instance with the password of today, whose host is in the variable `host`. The
 * input has `restoreTime`, `snapshotArn`, or neither for the latest time; the variables are {@link temporaryVariables}.
 *
 * @param next state that works with the instance
 */
export function temporaryInstanceStates(props: TemporaryInstanceProps, next: string): States {
  const { targetMinutes, database, settings } = props;
  const existing = isExisting(settings);
  const stage = existing ? bringingUpExisting(database) : BRINGING_UP;
  const waiting = { instance: '{% $recovered %}', stage, targetMinutes };
  const wait = 'Wait until restored';
  const setPassword = 'Set the current password';
  return {
    ...(existing ? temporarySettingsStates(database, settings, START_EXPIRY) : {}),
    [START_EXPIRY]: startingExpiry(props, 'Choose what to restore'),
    ...restoringStates({
      source: settings.instanceIdentifier,
      settings: temporarySettings(props),
      stage,
      withoutBackups: WITHOUT_BACKUPS,
      wait,
      targetMinutes,
    }),
    ...untilReady({
      ...waiting,
      wait,
      next: existing
        ? { Next: setPassword, Assign: { masterUsername: '{% $states.input.MasterUsername %}' } }
        : setPassword,
    }),
    [setPassword]: invoking(
      props.resetPasswordFunctionArn,
      {
        database,
        instanceIdentifier: '{% $recovered %}',
        // The secret of an existing one may be that of another role, whose password RDS does not set.
        ...(existing ? { masterUsername: '{% $masterUsername %}' } : {}),
        dryRun: false,
      },
      stage,
      waitingIn('Wait until the password is set', targetMinutes),
    ),
    ...untilReady({ ...waiting, wait: 'Wait until the password is set', next }),
  };
}

/** Nothing is made without it: it removes the instance of an execution that was stopped, or could not. */
function startingExpiry(props: TemporaryInstanceProps, next: string): State {
  const { environmentName, database, purpose, expiryArn } = props;
  const { remindHours = TEMPORARY_INSTANCE_POLICY.remindHours } = props;
  const at = (milliseconds: string) => `{% $fromMillis(${milliseconds}) %}`;
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::states:startExecution',
    Arguments: {
      StateMachineArn: expiryArn,
      // A repeated call starts nothing else: names of executions are unique, and the same input is the same execution.
      Name: '{% $recovered %}',
      Input: {
        environment: environmentName,
        database,
        purpose,
        instance: '{% $recovered %}',
        remindAt: at(`$toMillis($states.context.Execution.StartTime) + ${remindHours * 3_600_000}`),
        // Later than the execution itself, which removes it in order.
        removeAt: at(`$removeAtMs + ${TEMPORARY_INSTANCE_POLICY.graceMinutes * 60_000}`),
      },
    },
    Output: '{% $states.input %}',
    Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 2, MaxAttempts: 5, BackoffRate: 2 }],
    Catch: explained({ safe: 'Nothing was made.', goOn: "'Start again with the same input.'" }),
    Next: next,
  };
}

/** The first of the states that remove a temporary instance. */
export const REMOVE = 'Begin to remove the temporary instance';

/** Deletes the instance and its backups: what was in it is in the source. */
export function deletion(instance: string): State {
  return {
    Type: 'Task',
    Resource: rds('deleteDBInstance'),
    Arguments: { DbInstanceIdentifier: instance, SkipFinalSnapshot: true, DeleteAutomatedBackups: true },
    Retry: RETRY_READS,
  };
}

/**
 * States from {@link REMOVE} to the end of the instance. The input is passed on. The instance is looked at before it is
 * deleted: IAM allows the deletion by a tag, which an instance that does not exist lacks.
 */
export function removalStates({ targetMinutes }: Pick<TemporaryInstanceProps, 'targetMinutes'>, next: string): States {
  const remove = 'Remove the temporary instance';
  const look = 'Look whether it is removed';
  const judge = 'Is it removed?';
  const wait = 'Wait until it is removed';
  return {
    [REMOVE]: {
      Type: 'Pass',
      Assign: {
        waitUntil: `{% $millis() + ${targetMinutes * 60_000} %}`,
        removalResult: '{% $states.input %}',
      },
      Next: look,
    },
    [look]: lookAt('{% $recovered %}', REMOVING, judge),
    [judge]: {
      Type: 'Choice',
      Choices: [
        { Condition: `{% ${IS_MISSING} %}`, Output: '{% $removalResult %}', Next: next },
        failsWhen(IS_LATE, REMOVING, {
          error: 'InstanceRemains',
          cause: `'its status is still ' & $states.input.DbInstanceStatus & ' after ${targetMinutes} minutes'`,
        }),
        { Condition: "{% $states.input.DbInstanceStatus = 'deleting' %}", Next: wait },
      ],
      Default: remove,
    },
    [remove]: {
      ...deletion('{% $recovered %}'),
      Catch: [
        // Another deletes it, or RDS changes it: it is looked at, and deleted once it may be.
        { ErrorEquals: [NOT_FOUND, INVALID_STATE], Next: wait },
        ...explained(REMOVING),
      ],
      Next: wait,
    },
    [wait]: { Type: 'Wait', Seconds: TEMPORARY_INSTANCE_POLICY.pollSeconds, Next: look },
  };
}

/**
 * States that end a failed execution: they delete the temporary instance, which is of no further use, and say what exists,
 * what is safe and how to go on.
 */
export function temporaryFailureStates({
  settings,
  runbookUrl,
  runbookAnchor,
}: Pick<TemporaryInstanceProps, 'settings'> & { readonly runbookUrl: string; readonly runbookAnchor: string }): States {
  const judge = 'Was an instance made?';
  const clear = 'Delete what was made';
  const including = (text: string) => `{% $append($states.input, [$recovered & ${text}]) %}`;
  return {
    ...failureStates({
      runbookUrl,
      runbookAnchor,
      instances: [settings.instanceIdentifier, '{% $recovered %}'],
      next: judge,
    }),
    [judge]: {
      Type: 'Choice',
      Choices: [{ Condition: "{% ($recovered & ' does not exist') in $states.input %}", Next: END_IN_FAILURE }],
      Default: clear,
    },
    [clear]: {
      ...deletion('{% $recovered %}'),
      Retry: [...RETRY_READS, { ErrorEquals: [INVALID_STATE], IntervalSeconds: 60, MaxAttempts: 10, BackoffRate: 1 }],
      Output: including("' is being deleted'"),
      Catch: [
        {
          ErrorEquals: ['States.ALL'],
          Output: including(
            "' could not be deleted (' & $states.errorOutput.Error & '); if it exists, it costs until its expiry deletes it, at ' & $fromMillis($removeAtMs) & ' or soon after'",
          ),
          Next: END_IN_FAILURE,
        },
      ],
      Next: END_IN_FAILURE,
    },
  };
}
