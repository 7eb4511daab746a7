import type { DatabaseName } from '../../../core/contract';
import { LARGE_RESTORE_POLICY } from '../../config/recovery-policy';
import { explained, invoking, type Stage, type State, type States } from './instance-recovery-states';
import { RETRY_PART } from './large-archive-states';

/** What the workflow works with. Values may be tokens. */
export interface LargeRestoreDefinitionProps {
  readonly database: DatabaseName;
  /** Function that takes every step. */
  readonly restoreFunctionArn: string;
  /** Function that records a drill and drops its database. */
  readonly drillFunctionArn: string;
  /** Calls that load rows, or build indexes, at the same time. */
  readonly concurrentParts: number;
  /** URL of the runbook as a page, without an anchor. */
  readonly runbookUrl: string;
}

/** In the cause of a failed drill that may not be on record, so that no alarm reports it. */
export const UNRECORDED = 'perhaps the database of the drill, or no record of it';

/** Labels of the maps, which are part of the ARNs of what they start. */
export const RESTORE_MAP_LABELS = ['Rows', 'Indexes'] as const;

const DISCARD = 'Drop what is not proven';
const STAGE: Stage = {
  safe: 'The database in use was not touched, and nothing has the name that was asked for.',
  goOn: "'Remove the cause, then start the same ' & ($drill ? 'drill' : 'restore') & ' again.'",
};
const FAILED = 'Restore or drill: failed';
/** The function of the drill runs once at a time, so another drill may hold it for 15 minutes. */
const RETRY_DRILL = RETRY_PART.map((retry) =>
  retry.ErrorEquals.includes('Lambda.TooManyRequestsException') ? { ...retry, MaxAttempts: 60 } : retry,
);
/** Whose database, and which of them. */
const RESTORING = {
  slot: '{% $states.input.slot %}',
  manifestSha256: '{% $states.input.manifestSha256 %}',
  name: '{% $states.input.name %}',
};
const STARTED_AT = '{% $states.context.Execution.StartTime %}';

/**
 * The workflow that restores an archive of any size, in the Amazon States Language with JSONata. Its input is
 * `{request: {archive, targetDatabase, manifestSha256?, purpose?}, afterwards}`. With the purpose `drill`, the proven database is
 * measured, recorded and dropped instead of released. One call prepares the database; others load its rows and
 * build the indexes of large tables, several at a time; the rest follows in order. Each step may be repeated, and a statement
 * that outlasts its call is completed by the server, so that calls only look for it.
 */
export function largeRestoreDefinition(props: LargeRestoreDefinitionProps): State & { readonly States: States } {
  const { database, runbookUrl } = props;
  return {
    Comment: `Restores an archive of the ${database} database that is too large for one call`,
    QueryLanguage: 'JSONata',
    StartAt: 'Note the start',
    TimeoutSeconds: LARGE_RESTORE_POLICY.longestHours * 3600,
    States: {
      'Note the start': {
        Type: 'Pass',
        Assign: { name: null, drill: "{% $states.input.request.purpose = 'drill' %}" },
        Next: 'Prepare the database',
      },
      'Prepare the database': step(
        props,
        "$merge([$states.input.request, {'step': 'prepare', 'startedAt': $states.context.Execution.StartTime}])",
        {
          Assign: {
            name: '{% $states.result.Payload.name %}',
            targetDatabase: '{% $states.input.request.targetDatabase %}',
            afterwards: '{% $states.input.afterwards %}',
          },
          Output: {
            slot: '{% $states.result.Payload.slot %}',
            manifestSha256: '{% $states.result.Payload.manifestSha256 %}',
            name: '{% $states.result.Payload.name %}',
            groups: '{% $states.result.Payload.groups %}',
            builds: '{% $states.result.Payload.builds %}',
          },
          Next: 'Load the rows',
        },
      ),
      'Load the rows': map(props, 'Rows', 'load', 'groups', 'Build the indexes'),
      'Build the indexes': map(props, 'Indexes', 'index', 'builds', 'Make keys, views and rules'),
      ...repeated('Make keys, views and rules', step(props, { step: 'complete', ...RESTORING }), 'Prove the database'),
      ...repeated(
        'Prove the database',
        step(
          props,
          { step: 'prove', ...RESTORING },
          { Assign: { proof: '{% $states.result.Payload.proof %}', provenAt: '{% $fromMillis($millis()) %}' } },
        ),
        'Restore or drill: proven',
      ),
      'Restore or drill: proven': {
        Type: 'Choice',
        Choices: [{ Condition: '{% $drill %}', Next: 'Record the drill' }],
        Default: 'Release the database',
      },
      'Record the drill': {
        ...invoking(
          props.drillFunctionArn,
          {
            database,
            step: 'record',
            slot: RESTORING.slot,
            manifestSha256: RESTORING.manifestSha256,
            startedAt: STARTED_AT,
            finishedAt: '{% $provenAt %}',
          },
          STAGE,
          { Retry: RETRY_DRILL, Output: '{% $states.result.Payload.record %}', Next: 'Restored' },
        ),
        Catch: caught(),
      },
      'Release the database': step(
        props,
        {
          step: 'release',
          ...RESTORING,
          targetDatabase: '{% $targetDatabase %}',
          afterwards: '{% $afterwards %}',
          startedAt: STARTED_AT,
        },
        {
          Output:
            "{% $merge([$proof, {'slot': $states.input.slot, 'targetDatabase': $targetDatabase, 'durationMs': $states.result.Payload.durationMs}]) %}",
          Next: 'Restored',
        },
      ),
      Restored: { Type: 'Succeed' },
      ...afterFailure(props, runbookUrl),
    },
  };
}

/** A call of the function, which may be repeated. @param payload an object, or JSONata of one */
function step(
  { database, restoreFunctionArn }: LargeRestoreDefinitionProps,
  payload: State | string,
  rest: State = {},
): State {
  const given =
    typeof payload === 'string' ? `{% $merge([${payload}, {'database': '${database}'}]) %}` : { database, ...payload };
  return {
    ...invoking(restoreFunctionArn, given, STAGE, { Retry: RETRY_PART, ...rest }),
    Catch: caught(),
  };
}

function caught(): State[] {
  return explained(STAGE).map((catcher) => ({ ...catcher, Next: FAILED }));
}

/** A task that says whether it is `done`, again and again until it is. What it is given stays the output. */
function repeated(name: string, task: State, next: string): States {
  const [judge, wait] = [`${name}: judge`, `${name}: wait`];
  return {
    [name]: {
      ...task,
      Assign: { ...(task.Assign as State | undefined), done: '{% $states.result.Payload.done %}' },
      Output: '{% $states.input %}',
      Next: judge,
    },
    [judge]: { Type: 'Choice', Choices: [{ Condition: '{% $done %}', Next: next }], Default: wait },
    [wait]: { Type: 'Wait', Seconds: LARGE_RESTORE_POLICY.pollSeconds, Next: name },
  };
}

/** One call for each number below a count, several at a time. The map sees no variables: what it needs is its input. */
function map(
  props: LargeRestoreDefinitionProps,
  label: (typeof RESTORE_MAP_LABELS)[number],
  stepName: 'load' | 'index',
  count: 'groups' | 'builds',
  next: string,
): State {
  const { database, restoreFunctionArn, concurrentParts } = props;
  const one = stepName === 'load' ? 'Load one group' : 'Index one table';
  const task = {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Arguments: { FunctionName: restoreFunctionArn, Payload: '{% $states.input %}' },
    Retry: RETRY_PART,
  };
  // The results of all have to fit into 256 KiB.
  const states: States =
    stepName === 'load'
      ? { [one]: { ...task, Output: 0, End: true } }
      : { ...repeated(one, task, 'Indexed'), Indexed: { Type: 'Pass', Output: 0, End: true } };
  return {
    Type: 'Map',
    Label: label,
    MaxConcurrency: concurrentParts,
    ToleratedFailureCount: 0,
    Items: `{% [0..$states.input.${count} - 1] %}`,
    ItemSelector: {
      step: stepName,
      database,
      ...RESTORING,
      number: '{% $states.context.Map.Item.Value %}',
    },
    ItemProcessor: {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      StartAt: one,
      States: states,
    },
    Output: '{% $states.input %}',
    Catch: caught(),
    Next: next,
  };
}

/** Drops the database of this restore, records a drill as failed, and ends the execution with what happened. */
function afterFailure(props: LargeRestoreDefinitionProps, runbookUrl: string): States {
  const { database, restoreFunctionArn, drillFunctionArn } = props;
  const end = 'Explain the failure';
  const discarded = `{% $merge([{'step': 'discard', 'database': '${database}', 'startedAt': $states.context.Execution.StartTime}, $name ? {'name': $name} : {}]) %}`;
  const said = (text: string) => `$replace($replace(${text}, '"', "'"), /\\s+/, ' ')`;
  return {
    [FAILED]: {
      Type: 'Choice',
      Choices: [
        {
          // Refused in favour of another one, it has neither failed nor made anything.
          Condition: "{% $drill and $failure.error = 'DrillRunning' %}",
          Assign: { dropped: 'nothing of this drill, which is not recorded' },
          Next: end,
        },
        { Condition: '{% $drill %}', Next: 'Record the failed drill' },
      ],
      Default: DISCARD,
    },
    'Record the failed drill': {
      ...invoking(
        drillFunctionArn,
        {
          database,
          step: 'fail',
          startedAt: STARTED_AT,
          error: '{% $failure.error %}',
          cause: '{% $substring($failure.cause, 0, 4000) %}',
          execution: '{% $states.context.Execution.Id %}',
        },
        STAGE,
        {
          Retry: RETRY_DRILL,
          Assign: {
            dropped:
              "{% 'the drill on record as ' & $states.result.Payload.record.outcome & '; ' & $states.result.Payload.name & ' was dropped' %}",
          },
          Next: end,
        },
      ),
      Catch: [
        {
          ErrorEquals: ['States.ALL'],
          Assign: {
            dropped: `{% '${UNRECORDED} (' & $states.errorOutput.Error & '): the next drill drops and records it' %}`,
          },
          Next: end,
        },
      ],
    },
    [DISCARD]: {
      ...invoking(restoreFunctionArn, discarded, STAGE, {
        Assign: { dropped: "{% $states.result.Payload.name & ' was dropped' %}" },
        Next: end,
      }),
      Catch: [
        {
          ErrorEquals: ['States.ALL'],
          Assign: {
            dropped:
              "{% 'what it had restored could not be dropped (' & $states.errorOutput.Error & '), and the next one drops it after a day' %}",
          },
          Next: end,
        },
      ],
    },
    [end]: {
      Type: 'Fail',
      Error: '{% $failure.error %}',
      // One line without double quotes, for the message to the topic.
      Cause: `{% ${said("'State: ' & $failure.state & '. Cause: ' & $failure.error & ', ' & $substring($failure.cause, 0, 600)")} & '. Exists now: ' & $dropped & '. Safe: ' & $failure.safe & ' To go on: ' & $failure.goOn & ' Runbook: ${runbookUrl}#large-archive-failed' %}`,
    },
  };
}
