import { TEMPORARY_INSTANCE_POLICY } from '../../config/recovery-policy';
import {
  announcing,
  eventOf,
  explained,
  invoking,
  type Stage,
  type State,
  type States,
} from './instance-recovery-states';
import { RETRY_PART } from './large-archive-states';
import { RECOVERY_EVENTS } from './recovery-events';
import { NOTHING_DONE, refusedWhen, requestRules } from './request-states';
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
export interface RowWorkflowProps extends TemporaryInstanceProps {
  /** URL of the runbook as a page, without an anchor. */
  readonly runbookUrl: string;
  /** Function that compares and merges rows. */
  readonly rowRecoveryFunctionArn: string;
  /** Prefix of the ARNs of snapshots that can be restored. */
  readonly snapshotArnPrefix: string;
}

/** Keys that the input of an execution may have. */
const INPUT_KEYS = ['tables', 'where', 'restoreTime', 'snapshotArn'] as const;

/** A report exists, or could not be made. */
const ASKING: Stage = {
  safe: 'The live rows are as they were, or as a confirmed merge left them; a report that was made is kept for 30 days.',
  goOn: "'Start again with the same input, or merge from the report.'",
};

const ASK = 'Ask what to do';

/** Text of an error for a note: one line without double quotes, since it becomes part of a message. */
const said = `$replace($replace($states.errorOutput.Error & ', ' & ($exists($states.errorOutput.Cause) ? $substring($states.errorOutput.Cause, 0, 400) : ''), '"', "'"), /\\s+/, ' ')`;

/**
 * The workflow that compares the rows of a database with those of a moment, in the Amazon States Language with JSONata: it
 * brings up a temporary instance, reports, asks, merges what is confirmed, and removes the instance. Its input names the
 * `tables`, conditions (`where`), and the moment: `restoreTime`, `snapshotArn`, or neither for the latest time.
 */
export function rowWorkflowDefinition(props: RowWorkflowProps): State & { readonly States: States } {
  const { targetMinutes, database, keepHours = TEMPORARY_INSTANCE_POLICY.keepHours } = props;
  return {
    Comment: `Compares rows of the ${database} database with those of a moment, on an instance that is removed afterwards`,
    QueryLanguage: 'JSONata',
    StartAt: 'Note the start',
    // Its removal begins when its time is over, at the latest. A failure is explained before: this only ends what hangs.
    TimeoutSeconds: (keepHours * 60 + 2 * targetMinutes) * 60,
    States: {
      ...askedFor(props),
      ...temporaryInstanceStates(props, 'Report the rows'),
      ...reporting(props),
      ...answering(props),
      ...removalStates(props, 'Was it answered?'),
      ...ending(props),
      ...temporaryFailureStates({ ...props, runbookAnchor: 'row-recovery-failed' }),
    },
  };
}

/** States from the start to a request that can be carried out. */
function askedFor(props: RowWorkflowProps): States {
  const { snapshotArnPrefix, database, rowRecoveryFunctionArn } = props;
  return {
    'Note the start': {
      Type: 'Pass',
      Comment: 'Name of the temporary instance, and until when it is kept',
      Assign: {
        ...temporaryVariables(props),
        tables: '{% $exists($states.input.tables) ? $states.input.tables : null %}',
        where: '{% $exists($states.input.where) ? $states.input.where : [] %}',
        report: { reportId: 'none', deleted: 0, changed: 0 },
        unfinished: false,
        note: '',
        answered: true,
      },
      Next: 'Check the request',
    },
    'Check the request': {
      Type: 'Choice',
      Choices: [
        ...requestRules({ keys: INPUT_KEYS, oneOf: ['restoreTime', 'snapshotArn'], snapshotArnPrefix }),
        refusedWhen(
          "$type($tables) != 'array' or $count($tables) = 0",
          '\'tables must be a list of names, such as ["billing.subscriptions"]\'',
        ),
      ],
      Default: 'Check the tables',
    },
    'Check the tables': invoking(
      rowRecoveryFunctionArn,
      { action: 'check', database, tables: '{% $tables %}', where: '{% $where %}' },
      NOTHING_DONE,
      { Output: '{% $states.input %}', Next: bringUp(props) },
    ),
  };
}

/**
 * One call after the other, each of which continues the report of the one before, until all rows were compared. A report that
 * fails leaves the instance for another: the operator names other tables.
 */
function reporting({ rowRecoveryFunctionArn, database }: RowWorkflowProps): States {
  const report = 'Report the rows';
  const judge = 'Were all rows compared?';
  const asked = `'action': 'report', 'database': '${database}', 'instance': {'host': $host}, 'tables': $tables, 'where': $where`;
  const partly =
    "($unfinished ? ' after a part of the rows; report ' & $report.reportId & ' has what was found until then' : '')";
  return {
    [report]: {
      ...invoking(
        rowRecoveryFunctionArn,
        `{% $merge([{${asked}}, $unfinished ? {'continues': $report.reportId} : {}]) %}`,
        ASKING,
        { Next: judge },
      ),
      // A call that was killed has made no report: it is made again.
      Retry: RETRY_PART,
      Assign: {
        report: {
          reportId: '{% $states.result.Payload.reportId %}',
          deleted: '{% $states.result.Payload.deleted %}',
          changed: '{% $states.result.Payload.changed %}',
        },
        unfinished: '{% $states.result.Payload.complete = false %}',
      },
      Catch: [
        {
          ErrorEquals: ['States.ALL'],
          Assign: { note: `{% 'The report failed' & ${partly} & ': ' & ${said} & '.' %}` },
          Next: ASK,
        },
      ],
    },
    [judge]: { Type: 'Choice', Choices: [{ Condition: '{% $unfinished %}', Next: report }], Default: ASK },
  };
}

/** What the calls of a merge have done, and where the next one continues: nothing yet. */
const NOT_MERGED = { offset: 0, inserted: 0, updated: 0, skipped: 0 };

/** States that ask, on the bus, what becomes of the rows, as often as there is an answer. */
function answering(props: RowWorkflowProps): States {
  const { database, rowRecoveryFunctionArn } = props;
  const merge = 'Merge the chosen rows';
  const counted = (what: 'inserted' | 'updated' | 'skipped') =>
    `{% $merged.${what} + $states.result.Payload.${what} %}`;
  const merged =
    "$string($merged.inserted) & ' inserted, ' & $string($merged.updated) & ' set back, ' & $string($merged.skipped) & ' skipped'";
  return {
    [ASK]: {
      Type: 'Task',
      Comment: 'Waits until its time is over. The rows are merged by the command line, or by the answer',
      Resource: 'arn:aws:states:::events:putEvents.waitForTaskToken',
      TimeoutSeconds: '{% $max([1, $ceil(($removeAtMs - $millis()) / 1000)]) %}',
      Arguments: eventOf(props, RECOVERY_EVENTS.rowsReported, {
        instance: '{% $recovered %}',
        reportId: '{% $report.reportId %}',
        deleted: '{% $report.deleted %}',
        changed: '{% $report.changed %}',
        tables: `{% $replace($join($tables, ' '), '"', "'") %}`,
        note: '{% $note %}',
        removeAt: '{% $fromMillis($removeAtMs) %}',
        taskToken: '{% $states.context.Task.Token %}',
      }),
      Output: '{% $states.result %}',
      Assign: { merged: NOT_MERGED },
      Retry: [{ ErrorEquals: ['EventBridge.FailedEntry', 'EventBridge.EventBridgeException'], MaxAttempts: 5 }],
      Catch: [
        { ErrorEquals: ['States.Timeout'], Assign: { answered: false }, Next: REMOVE },
        { ErrorEquals: ['RowsDeclined'], Next: REMOVE },
        ...explained(ASKING),
      ],
      Next: 'What is the answer?',
    },
    'What is the answer?': {
      Type: 'Choice',
      Choices: [
        { Condition: '{% $exists($states.input.done) and $states.input.done = true %}', Next: REMOVE },
        {
          Condition: `{% $exists($states.input.merge) and $exists($states.input.confirm) and $states.input.confirm = '${database}' %}`,
          Next: merge,
        },
      ],
      Default: ASK,
      Assign: { note: 'The last answer was neither an end nor a confirmed choice of rows, so nothing was done.' },
    },
    [merge]: {
      ...invoking(
        rowRecoveryFunctionArn,
        {
          action: 'merge',
          database,
          reportId: '{% $report.reportId %}',
          choose: '{% $states.input.merge %}',
          offset: '{% $merged.offset %}',
          confirm: database,
        },
        ASKING,
        // The choice, for the next call.
        { Output: '{% $states.input %}', Next: 'Were all rows merged?' },
      ),
      Assign: {
        merged: {
          offset: '{% $states.result.Payload.next %}',
          inserted: counted('inserted'),
          updated: counted('updated'),
          skipped: counted('skipped'),
        },
      },
      Catch: [
        {
          ErrorEquals: ['States.ALL'],
          Assign: {
            note: `{% ($merged.offset = 0 ? 'Nothing was merged: ' : 'Merged: ' & ${merged} & '; then nothing else: ') & ${said} & '.' %}`,
          },
          Next: ASK,
        },
      ],
    },
    'Were all rows merged?': {
      Type: 'Choice',
      Choices: [{ Condition: '{% $merged.offset != null %}', Next: merge }],
      Default: ASK,
      Assign: { note: `{% 'Merged: ' & ${merged} & '.' %}` },
    },
  };
}

/** States from the removal to the end. */
function ending(props: RowWorkflowProps): States {
  const done = 'Rows recovered';
  return {
    'Was it answered?': {
      Type: 'Choice',
      Choices: [{ Condition: '{% $answered = false %}', Next: 'Report that nobody answered' }],
      Default: done,
    },
    'Report that nobody answered': announcing(
      props,
      RECOVERY_EVENTS.rowsUnanswered,
      { instance: '{% $recovered %}', reportId: '{% $report.reportId %}' },
      done,
    ),
    [done]: {
      Type: 'Succeed',
      Output: { reportId: '{% $report.reportId %}', answered: '{% $answered %}', note: '{% $note %}' },
    },
  };
}
