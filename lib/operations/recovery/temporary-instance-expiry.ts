import type { DatabaseName } from '../../../core/contract';
import { TEMPORARY_INSTANCE_POLICY } from '../../config/recovery-policy';
import { announcing, NOT_FOUND, rds, RETRY_READS, type State, type States } from './instance-recovery-states';
import { RECOVERY_EVENTS } from './recovery-events';
import { deletion } from './temporary-instance-states';

/**
 * A state machine that outlives the execution that made a temporary instance: it reminds of the `instance` of its input at
 * `remindAt`, deletes it at `removeAt`, and tries again, with an event each time, until it is gone. So the instance of an
 * execution that was stopped, or whose own attempt failed, does not stay and cost.
 */
export function temporaryExpiryDefinition(props: {
  readonly environmentName: string;
  readonly database: DatabaseName;
}): State & { readonly States: States } {
  const gone = 'It is gone';
  const details = { instance: '{% $instance %}', purpose: '{% $purpose %}', removeAt: '{% $removeAt %}' };
  const look = (next: string, whenUnseen: string): State => ({
    Type: 'Task',
    Resource: rds('describeDBInstances'),
    Arguments: { DbInstanceIdentifier: '{% $instance %}' },
    Output: '{% $states.input %}',
    Retry: RETRY_READS,
    Catch: [
      { ErrorEquals: [NOT_FOUND], Next: gone },
      { ErrorEquals: ['States.ALL'], Next: whenUnseen },
    ],
    Next: next,
  });
  const remove = 'Delete it';
  const wait = 'Wait for the deletion';
  return {
    Comment: `Reminds of a temporary instance of the ${props.database} database, and deletes it once its time is over`,
    QueryLanguage: 'JSONata',
    StartAt: 'Note the instance',
    States: {
      'Note the instance': {
        Type: 'Pass',
        Assign: {
          instance: '{% $states.input.instance %}',
          purpose: '{% $states.input.purpose %}',
          remindAt: '{% $states.input.remindAt %}',
          removeAt: '{% $states.input.removeAt %}',
        },
        Next: 'Wait until the reminder',
      },
      'Wait until the reminder': { Type: 'Wait', Timestamp: '{% $remindAt %}', Next: 'Look whether it exists' },
      // What cannot be seen is reminded of once too often, rather than forgotten.
      'Look whether it exists': look('Remind of it', 'Remind of it'),
      'Remind of it': announcing(props, RECOVERY_EVENTS.temporaryKept, details, 'Wait until its time is over'),
      'Wait until its time is over': { Type: 'Wait', Timestamp: '{% $removeAt %}', Next: remove },
      [remove]: {
        ...deletion('{% $instance %}'),
        Catch: [
          { ErrorEquals: [NOT_FOUND], Next: gone },
          { ErrorEquals: ['States.ALL'], Next: wait },
        ],
        Next: wait,
      },
      [wait]: { Type: 'Wait', Seconds: TEMPORARY_INSTANCE_POLICY.removalMinutes * 60, Next: 'Look whether it is gone' },
      'Look whether it is gone': look('Report that it remains', 'Report that it remains'),
      'Report that it remains': announcing(
        props,
        RECOVERY_EVENTS.temporaryRemains,
        details,
        'Wait for another attempt',
      ),
      'Wait for another attempt': {
        Type: 'Wait',
        Seconds: TEMPORARY_INSTANCE_POLICY.attemptHours * 60 * 60,
        Next: remove,
      },
      [gone]: { Type: 'Succeed' },
    },
  };
}
