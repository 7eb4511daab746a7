import { RECOVERY_POLICY } from '../../config/recovery-policy';
import {
  announcing,
  api,
  RETRY_READS,
  type RecoveryDefinitionProps,
  type State,
  type States,
} from './instance-recovery-states';
import { RECOVERY_EVENTS } from './recovery-events';

/**
 * A state machine that waits for a week, looks which of the `instances` of its input still exist, and reports them; then
 * waits again, until there are none. A Standard workflow may run for a year, which is its limit here too.
 */
export function reminderDefinition(
  props: Pick<RecoveryDefinitionProps, 'environmentName' | 'database'>,
): State & { readonly States: States } {
  const wait = 'Wait for a week';
  return {
    Comment: `Reports instances that a recovery of the ${props.database} database left behind, until they are deleted`,
    QueryLanguage: 'JSONata',
    StartAt: 'Note the instances',
    States: {
      'Note the instances': { Type: 'Pass', Assign: { instances: '{% $states.input.instances %}' }, Next: wait },
      [wait]: { Type: 'Wait', Seconds: RECOVERY_POLICY.reminderDays * 24 * 60 * 60, Next: 'Find what is left' },
      'Find what is left': {
        Type: 'Map',
        Items: '{% $instances %}',
        ItemProcessor: {
          ProcessorConfig: { Mode: 'INLINE' },
          StartAt: 'Look at one instance',
          States: {
            'Look at one instance': {
              Type: 'Task',
              Resource: api('rds', 'describeDBInstances'),
              Arguments: { DbInstanceIdentifier: '{% $states.input %}' },
              Output: '{% $states.input %}',
              Retry: RETRY_READS,
              Catch: [{ ErrorEquals: ['Rds.DbInstanceNotFoundException'], Output: null, Next: 'Seen' }],
              Next: 'Seen',
            },
            Seen: { Type: 'Succeed' },
          },
        },
        // What cannot be seen is reported once more, rather than forgotten.
        Catch: [{ ErrorEquals: ['States.ALL'], Output: '{% $instances %}', Next: 'Is anything left?' }],
        Next: 'Is anything left?',
      },
      'Is anything left?': {
        Type: 'Choice',
        Choices: [
          {
            Condition: '{% $count($states.input[$ != null]) > 0 %}',
            Output: "{% $join($states.input[$ != null], ', ') %}",
            Next: 'Report what is left',
          },
        ],
        Default: 'Nothing is left',
      },
      'Report what is left': announcing(props, RECOVERY_EVENTS.leftovers, { instances: '{% $states.input %}' }, wait),
      'Nothing is left': { Type: 'Succeed' },
    },
  };
}
