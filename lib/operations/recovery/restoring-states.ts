import {
  failsWhen,
  rdsTask,
  RETRY_READS,
  waitingIn,
  type Stage,
  type State,
  type States,
} from './instance-recovery-states';
import { withFields, type Arguments } from './jsonata';
import { exists } from './request-states';

/** Error of RDS about an instance of which it keeps no backups, or did never make any. */
export const BACKUPS_NOT_FOUND = 'Rds.DbInstanceAutomatedBackupNotFoundException';
/** JSONata: of several deleted instances of a name, the backup of the one that was in use last. */
export const NEWEST_BACKUP =
  "$states.result.DbInstanceAutomatedBackups[Status in ['retained', 'active']]^(>RestoreWindow.LatestTime)[0]";

/** An instance that RDS is to make, under the identifier in the variable `recovered`. */
export interface RestoringProps {
  /** Identifier of the instance in use, whose backups are restored. */
  readonly source: string;
  /** Arguments of the call, but for names and time: class, network, tags. */
  readonly settings: Arguments;
  /** What to do when a restore cannot begin. */
  readonly stage: Stage;
  /** What to do when there are no backups that RDS finds by itself. */
  readonly withoutBackups: Stage;
  /** The wait that follows, and how long it may take at most. */
  readonly wait: string;
  readonly targetMinutes: number;
  /** Rules that come before the choice of a source. @default - none */
  readonly choices?: readonly State[];
}

/**
 * States from `Choose what to restore` on: from a snapshot (`snapshotArn` of the input), to a time (`restoreTime`) or to the
 * latest one, whether the instance in use exists or RDS only kept its backups.
 */
export function restoringStates(props: RestoringProps): States {
  const { source: id, settings, stage, targetMinutes } = props;
  const begun = waitingIn(props.wait, targetMinutes);
  const restore = (action: string, source: State) =>
    rdsTask(action, stage, {
      Arguments: withFields(settings, source),
      // The name is fixed for the execution: a call that is repeated can never make a second instance.
      Retry: RETRY_READS,
      Catch: [{ ErrorEquals: ['Rds.DbInstanceAlreadyExistsException'], ...begun }],
      ...begun,
    });
  const toPointInTime = (source: State) =>
    restore('restoreDBInstanceToPointInTime', { TargetDBInstanceIdentifier: '{% $recovered %}', ...source });
  const present = { SourceDBInstanceIdentifier: id };
  const deleted = { SourceDbiResourceId: '{% $sourceResourceId %}' };
  const time = { RestoreTime: '{% $states.input.restoreTime %}' };
  const latest = { UseLatestRestorableTime: true };
  return {
    'Choose what to restore': {
      Type: 'Choice',
      Choices: [
        ...(props.choices ?? []),
        { Condition: `{% ${exists('snapshotArn')} %}`, Next: 'Restore from a snapshot' },
      ],
      Default: 'Look whether the instance in use exists',
    },
    ...findingBackups(props),
    'Restore from a snapshot': restore('restoreDBInstanceFromDBSnapshot', {
      DbSnapshotIdentifier: '{% $states.input.snapshotArn %}',
      DbInstanceIdentifier: '{% $recovered %}',
    }),
    'Restore to a time': toPointInTime({ ...present, ...time }),
    'Restore to the latest time': toPointInTime({ ...present, ...latest }),
    'Restore the deleted instance to a time': toPointInTime({ ...deleted, ...time }),
    'Restore the deleted instance to its latest time': toPointInTime({ ...deleted, ...latest }),
  };
}

/** States that find what to restore to a time: the instance in use, or the backups of one that was deleted. */
function findingBackups({ source: id, stage, withoutBackups }: RestoringProps): States {
  return {
    'Look whether the instance in use exists': rdsTask('describeDBInstances', stage, {
      Arguments: { DbInstanceIdentifier: id },
      Output: '{% $states.input %}',
      Retry: RETRY_READS,
      Catch: [
        {
          ErrorEquals: ['Rds.DbInstanceNotFoundException'],
          Output: '{% $states.input %}',
          Next: 'Find the backups of the deleted instance',
        },
      ],
      Next: 'Restore to which time?',
    }),
    'Restore to which time?': {
      Type: 'Choice',
      Choices: [{ Condition: `{% ${exists('restoreTime')} %}`, Next: 'Restore to a time' }],
      Default: 'Restore to the latest time',
    },
    'Find the backups of the deleted instance': rdsTask('describeDBInstanceAutomatedBackups', stage, {
      Arguments: { DbInstanceIdentifier: id },
      Retry: RETRY_READS,
      Assign: {
        sourceResourceId: `{% ($newest := ${NEWEST_BACKUP}.DbiResourceId; $exists($newest) ? $newest : '') %}`,
      },
      Output: '{% $states.input %}',
      Catch: [
        {
          ErrorEquals: [BACKUPS_NOT_FOUND],
          Assign: { sourceResourceId: '' },
          Output: '{% $states.input %}',
          Next: 'Restore the deleted instance to which time?',
        },
      ],
      Next: 'Restore the deleted instance to which time?',
    }),
    'Restore the deleted instance to which time?': {
      Type: 'Choice',
      Choices: [
        failsWhen("$sourceResourceId = ''", withoutBackups, {
          error: 'NothingToRestoreFrom',
          cause: `'the instance ${id} does not exist, and RDS has kept no automated backups of it'`,
        }),
        { Condition: `{% ${exists('restoreTime')} %}`, Next: 'Restore the deleted instance to a time' },
      ],
      Default: 'Restore the deleted instance to its latest time',
    },
  };
}
