import { cutOverMinutes, RECOVERY_POLICY } from '../../config/recovery-policy';
import {
  ERASE_AGAIN,
  erasingAgain,
  EXPLAIN,
  eventOf,
  explained,
  failsWhen,
  invoking,
  otherwiseFails,
  type RecoveryDefinitionProps,
  type Stage,
  type State,
  type States,
} from './instance-recovery-states';
import { RECOVERY_EVENTS } from './recovery-events';
import { PROVING } from './restore-states';

/** The database that was restored must not be used. */
const UNSOUND: Stage = {
  safe: 'The instance in use was not touched.',
  goOn: "'Start the workflow again with an earlier restoreTime, or with a snapshotArn; delete ' & $recovered & '.'",
};
/** The operator decided, or did not. */
const UNCONFIRMED: Stage = {
  safe: 'The instance in use was not touched.',
  goOn: "'To cut over after all, start the workflow again with the input recoveredInstance = ' & $recovered & '. Otherwise delete it: it costs as much as the one in use.'",
};

const MINUTE_MS = 60_000;

/**
 * When warming has to end: after its share of the target, and early enough for the verification and the cut-over to end
 * within the target, counted from the start of the execution.
 */
function warmingDeadline({ targetMinutes, proxyName }: RecoveryDefinitionProps): string {
  const shareMs = targetMinutes * RECOVERY_POLICY.warmingShare * MINUTE_MS;
  const latest = targetMinutes - RECOVERY_POLICY.verificationMinutes - cutOverMinutes(proxyName !== undefined);
  return `$min([$millis() + ${shareMs}, $startedAt + ${latest * MINUTE_MS}])`;
}

/**
 * States that read the whole disk once, which loads lazily after a restore. One call of the function is not enough for a
 * large database, so it is called until everything is read, or its time is used up; a database that is not warm is slow,
 * but sound. A page that cannot be read is another matter.
 */
function warming(props: RecoveryDefinitionProps): States {
  const verify = 'Verify the recovered database';
  const logins = 'Give logins the passwords of today';
  return {
    'Begin warming': {
      Type: 'Pass',
      Assign: {
        warmUntil: `{% ${warmingDeadline(props)} %}`,
        warmed: { done: false, continueFrom: null, bytesRead: 0, bytesLeft: null, skippedPages: 0, error: null },
      },
      Output: { unreadable: [] },
      Next: 'Is it warm?',
    },
    'Is it warm?': {
      Type: 'Choice',
      Choices: [
        failsWhen('$count($states.input.unreadable) > 0', UNSOUND, {
          error: 'InstanceUnsound',
          cause:
            "'warming found what cannot be read: ' & $states.input.unreadable[0].name & ', ' & $states.input.unreadable[0].message",
        }),
        { Condition: '{% $warmed.done = false and $millis() < $warmUntil %}', Next: 'Warm the disk' },
      ],
      Default: ERASE_AGAIN,
    },
    'Warm the disk': warmingOnce(props, ERASE_AGAIN),
    ...erasingAgain(ERASE_AGAIN, props, PROVING, logins),
    // The instance has those of its moment; RDS sets the owner's alone.
    [logins]: invoking(
      props.migrateFunctionArn,
      { action: 'access', database: props.database, host: '{% $host %}', passwordsOnly: true, dryRun: false },
      PROVING,
      { Next: verify },
    ),
    [verify]: invoking(props.verifyFunctionArn, { database: props.database, host: '{% $host %}' }, PROVING, {
      Next: 'Is it sound?',
    }),
    'Is it sound?': {
      Type: 'Choice',
      Choices: [
        {
          Condition: '{% $states.input.sound = true %}',
          Assign: { report: '{% $states.input %}', confirmUntil: confirmUntil() },
          Next: 'Ask for confirmation',
        },
      ],
      ...otherwiseFails(UNSOUND, {
        error: 'InstanceUnsound',
        cause:
          "'the verification found ' & $count($states.input.problems) & ' problems, first: ' & ($exists($states.input.problems[0].message) ? $states.input.problems[0].message : 'not named')",
      }),
    },
  };
}

/** One call, from where the call before stopped. */
function warmingOnce({ warmFunctionArn, database }: RecoveryDefinitionProps, verify: string): State {
  const answer = '$states.result.Payload';
  return {
    ...invoking(
      warmFunctionArn,
      {
        database,
        host: '{% $host %}',
        continueFrom: '{% $warmed.continueFrom %}',
        stopAtMs: '{% $warmUntil %}',
      },
      PROVING,
      { Next: 'Is it warm?' },
    ),
    Assign: {
      warmed: {
        done: `{% ${answer}.done %}`,
        continueFrom: `{% ${answer}.continueFrom %}`,
        bytesRead: `{% $warmed.bytesRead + ${answer}.bytesRead %}`,
        bytesLeft: `{% ${answer}.bytesLeft %}`,
        skippedPages: `{% $warmed.skippedPages + $count(${answer}.skippedPages) %}`,
        error: null,
      },
    },
    // A recovery does not fail because the disk stays cold: the verification decides.
    Catch: [
      {
        ErrorEquals: ['States.ALL'],
        Assign: { warmed: "{% $merge([$warmed, {'error': $states.errorOutput.Error}]) %}" },
        Next: verify,
      },
    ],
  };
}

const confirmUntil = () => `{% $millis() + ${RECOVERY_POLICY.confirmationHours * 60 * MINUTE_MS} %}`;
const minutesSinceStart = (extra = 0) => `$round(($millis() - $startedAt) / ${MINUTE_MS} + ${extra}, 1)`;

/** States that ask, on the bus, for the identifier of the instance that is replaced, and accept nothing else. */
function confirming(props: RecoveryDefinitionProps): States {
  const { settings, proxyName, targetMinutes } = props;
  const id = settings.instanceIdentifier;
  const ask = 'Ask for confirmation';
  const eraseMeanwhile = 'Erase again who was erased meanwhile';
  return {
    [ask]: {
      Type: 'Task',
      Comment: 'Nothing in use has been touched so far. Waits for the identifier of the instance in use',
      Resource: 'arn:aws:states:::events:putEvents.waitForTaskToken',
      TimeoutSeconds: '{% $max([1, $ceil(($confirmUntil - $millis()) / 1000)]) %}',
      Arguments: eventOf(props, RECOVERY_EVENTS.confirmationRequested, {
        recoveredInstance: '{% $recovered %}',
        // `notChecked` names what time did not suffice for; the operator decides whether to do without.
        verification: '{% $report %}',
        warming: '{% $warmed %}',
        minutesSoFar: `{% ${minutesSinceStart()} %}`,
        minutesToTraffic: `{% ${minutesSinceStart(cutOverMinutes(proxyName !== undefined))} %}`,
        targetMinutes,
        confirmWith: id,
        note: '{% $note %}',
        taskToken: '{% $states.context.Task.Token %}',
      } satisfies State),
      Output: '{% $states.result %}',
      Retry: [{ ErrorEquals: ['EventBridge.FailedEntry', 'EventBridge.EventBridgeException'], MaxAttempts: 5 }],
      Catch: [
        unconfirmed(['States.Timeout'], {
          error: 'CutOverUnconfirmed',
          cause: `'the cut-over was not confirmed within ${RECOVERY_POLICY.confirmationHours} hours'`,
        }),
        ...explained(UNCONFIRMED),
      ],
      Next: 'Is it confirmed?',
    },
    'Is it confirmed?': {
      Type: 'Choice',
      Choices: [
        {
          Condition: `{% $exists($states.input.confirm) and $states.input.confirm = '${id}' %}`,
          Next: eraseMeanwhile,
        },
      ],
      Default: ask,
      Assign: { note: 'The last answer did not name that instance, so nothing was done.' },
    },
    // The confirmation may take a day, and people may be erased on the instance in use during it.
    ...erasingAgain(eraseMeanwhile, props, UNCONFIRMED, 'Begin the cut-over'),
  };
}

/** A catcher of answers that are no confirmation. */
function unconfirmed(ErrorEquals: readonly string[], failure: Parameters<typeof otherwiseFails>[1]): State {
  return { ErrorEquals, Assign: otherwiseFails(UNCONFIRMED, failure).Assign, Next: EXPLAIN };
}

/** From an instance that answers to one that is proven, and whose cut-over is confirmed. */
export function proveStates(props: RecoveryDefinitionProps): States {
  return { ...warming(props), ...confirming(props) };
}
