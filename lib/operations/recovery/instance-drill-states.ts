import { cutOverMinutes, RECOVERY_POLICY, TEMPORARY_INSTANCE_POLICY } from '../../config/recovery-policy';
import {
  announcing,
  ERASE_AGAIN,
  ERASE_FROM,
  erasingAgain,
  failsWhen,
  invoking,
  otherwiseFails,
  type Stage,
  type State,
  type States,
} from './instance-recovery-states';
import { RECOVERY_EVENTS } from './recovery-events';
import {
  bringUp,
  REMOVE,
  removalStates,
  temporaryFailureStates,
  temporaryInstanceStates,
  temporaryVariables,
  type TemporaryInstanceProps,
} from './temporary-instance-states';

/** What the workflow works with. Values may be tokens. */
export interface InstanceDrillProps extends TemporaryInstanceProps {
  /** URL of the runbook as a page, without an anchor. */
  readonly runbookUrl: string;
  readonly verifyFunctionArn: string;
  readonly erasureFunctionArn: string;
  /** Whether a recovery would cut over through a proxy, which takes minutes, or by two renames. */
  readonly hasProxy: boolean;
}

/** What the drill found out, which is worth knowing before the day on which it counts. */
const PROVING: Stage = {
  safe: 'The instance in use was not touched.',
  goOn: "'Remove the cause, and start the drill again: until it passes, do not rely on a recovery of the instance.'",
};

/** Minutes of a recovery so far, and of the cut-over that a drill leaves out. */
const minutesWith = (cutOver: number) =>
  `$round(($millis() - $toMillis($states.context.Execution.StartTime)) / 60000 + ${cutOver}, 1)`;

/**
 * The workflow that rehearses the recovery of an instance, in the Amazon States Language with JSONata: it restores the latest
 * moment beside the instance in use, in the same class, verifies what came back, and removes it. The cut-over is not
 * rehearsed: its time is added. An execution fails when the database is not sound, or a recovery would miss its target.
 */
export function instanceDrillDefinition(given: InstanceDrillProps): State & { readonly States: States } {
  const { targetMinutes, database } = given;
  // Restored, password, removed: each wait has the target. A failure is explained before: this only ends what hangs.
  const longestHours = (4 * targetMinutes) / 60 + RECOVERY_POLICY.erasingHours;
  const props = { ...given, keepHours: Math.max(TEMPORARY_INSTANCE_POLICY.keepHours, longestHours) };
  return {
    Comment: `Rehearses the recovery of the instance of the ${database} database, and removes what it restored`,
    QueryLanguage: 'JSONata',
    StartAt: 'Note the start',
    TimeoutSeconds: longestHours * 3600,
    States: {
      'Note the start': {
        Type: 'Pass',
        Comment: 'Name of the temporary instance, and until when it is kept',
        Assign: { ...temporaryVariables(props), ...ERASE_FROM },
        // A schedule or a person starts it; the latest moment is restored, whatever the input says.
        Output: {},
        Next: bringUp(props),
      },
      ...temporaryInstanceStates(props, ERASE_AGAIN),
      ...proving(props),
      ...removalStates(props, 'Was it in time?'),
      ...judging(props),
      ...temporaryFailureStates({ ...props, runbookAnchor: 'instance-drill-failed' }),
    },
  };
}

function proving(props: InstanceDrillProps): States {
  const { verifyFunctionArn, database, hasProxy } = props;
  return {
    ...erasingAgain(ERASE_AGAIN, props, PROVING, 'Verify the recovered database'),
    'Verify the recovered database': invoking(verifyFunctionArn, { database, host: '{% $host %}' }, PROVING, {
      Next: 'Is it sound?',
    }),
    'Is it sound?': {
      Type: 'Choice',
      Choices: [
        {
          Condition: '{% $states.input.sound = true %}',
          Assign: { minutes: `{% ${minutesWith(cutOverMinutes(hasProxy))} %}` },
          Next: REMOVE,
        },
      ],
      ...otherwiseFails(PROVING, {
        error: 'InstanceUnsound',
        cause:
          "'the verification found ' & $count($states.input.problems) & ' problems, first: ' & ($exists($states.input.problems[0].message) ? $states.input.problems[0].message : 'not named')",
      }),
    },
  };
}

/** Once the instance is removed: a drill that failed costs no more than one that passed. */
function judging(props: InstanceDrillProps): States {
  const { targetMinutes } = props;
  const result = { minutes: '{% $minutes %}', targetMinutes };
  return {
    'Was it in time?': {
      Type: 'Choice',
      Choices: [
        failsWhen(`$minutes > ${targetMinutes}`, PROVING, {
          error: 'InstanceDrillLate',
          cause: `'the database is sound, but a recovery would have taken ' & $minutes & ' minutes; the target is ${targetMinutes}'`,
        }),
      ],
      Default: 'Report the drill',
    },
    'Report the drill': announcing(props, RECOVERY_EVENTS.instanceDrilled, result, 'The drill passed'),
    'The drill passed': { Type: 'Succeed', Output: result },
  };
}
