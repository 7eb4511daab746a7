import {
  api,
  ERASE_FROM,
  failsWhen,
  type RecoveryDefinitionProps,
  type Stage,
  type State,
  type States,
} from './instance-recovery-states';

/** Keys that the input of an execution may have. */
export const INPUT_KEYS = ['restoreTime', 'snapshotArn', 'recoveredInstance'] as const;
/** As many days as the log groups of the instances in the template. */
const LOG_RETENTION_DAYS = 365;

/** JSONata: whether the input of an execution has a key. */
export const exists = (key: string) => `$exists($states.input.${key})`;
/** A condition on a value of the input; one that is no text never holds. */
const isText = (key: string, condition: string) =>
  `(${exists(key)} ? ($type($states.input.${key}) = 'string' ? $not(${condition}) : true) : false)`;

/** What the input of an execution may have. */
export interface RequestRules {
  /** Its keys. */
  readonly keys: readonly string[];
  /** Those of which at most one may be given. */
  readonly oneOf: readonly string[];
  /** Prefix of the ARNs of snapshots that can be restored. */
  readonly snapshotArnPrefix: string;
}

/** A rule of a Choice that refuses a request. */
export function refusedWhen(condition: string, cause: string): State {
  return failsWhen(condition, NOTHING_DONE, { error: 'RequestRefused', cause });
}

/** Rules of a Choice that refuse unknown keys, two sources, and a malformed time or snapshot. */
export function requestRules({ keys, oneOf, snapshotArnPrefix }: RequestRules): State[] {
  const known = keys.map((key) => `'${key}'`).join(', ');
  const unknown = `$keys($states.input)[$not($ in [${known}])]`;
  return [
    refusedWhen(
      `$count(${unknown}) > 0`,
      `'unknown input ' & $join(${unknown}, ', ') & ': expected nothing, or one of ${keys.join(', ')}'`,
    ),
    refusedWhen(
      `$count([${oneOf.map((key) => `$states.input.${key}`).join(', ')}]) > 1`,
      `'give only one of ${oneOf.join(', ')}'`,
    ),
    refusedWhen(
      isText(
        'restoreTime',
        '$contains($states.input.restoreTime, /^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$/)',
      ),
      "'restoreTime must be a time in UTC, to the second, such as 2026-11-21T06:00:00Z'",
    ),
    refusedWhen(
      isText(
        'snapshotArn',
        `$substringBefore($states.input.snapshotArn, ':snapshot:') & ':snapshot:' = '${snapshotArnPrefix}'`,
      ),
      `'snapshotArn must begin with ${snapshotArnPrefix}'`,
    ),
  ];
}

/**
 * From the start to a request that can be carried out.
 *
 * @param next state after them
 */
export function requestStates({ settings, snapshotArnPrefix }: RecoveryDefinitionProps, next: string): States {
  const id = settings.instanceIdentifier;
  return {
    'Note the start': {
      Type: 'Pass',
      Comment: 'The name of the recovered instance, which another start is given to continue',
      Assign: {
        startedAt: '{% $toMillis($states.context.Execution.StartTime) %}',
        recovered: `{% $type($states.input.recoveredInstance) = 'string' ? $states.input.recoveredInstance : '${id}-recovered-' & $substring($uuid(), 0, 8) %}`,
        report: null,
        warmed: null,
        note: 'Nothing in use was touched.',
        minutesToTraffic: null,
        ...ERASE_FROM,
      },
      Next: 'Note the name of the former instance',
    },
    // After the recovered one: a start that continues, by that name, finds what was set aside, its log groups and its reminder.
    'Note the name of the former instance': {
      Type: 'Pass',
      Comment: 'The name of the instance in use once it is set aside',
      Assign: { former: `{% '${id}-before-' & $substringAfter($recovered, '${id}-recovered-') %}` },
      Next: 'Check the request',
    },
    'Check the request': {
      Type: 'Choice',
      Choices: [
        ...requestRules({ keys: INPUT_KEYS, oneOf: INPUT_KEYS, snapshotArnPrefix }),
        refusedWhen(
          isText('recoveredInstance', `$contains($states.input.recoveredInstance, /^${id}-recovered-[a-z0-9]+$/)`),
          `'recoveredInstance must be an instance that this workflow made: ${id}-recovered-…'`,
        ),
      ],
      Default: next,
    },
  };
}

export const NOTHING_DONE: Stage = {
  safe: 'Nothing was made, and the instance in use was not touched.',
  goOn: "'Start the workflow again with a corrected input.'",
};

/** The first of the states that prepare a restore. */
export const PREPARE = 'Make the log groups';

/**
 * What has to exist before RDS makes it without an expiry, and what reminds of it. Neither holds a recovery up.
 *
 * @param logs JSONata of the list of logs that the instances write to CloudWatch
 */
export function preparationStates(
  { environmentName, logKeyArn, database, reminderArn }: RecoveryDefinitionProps,
  logs: string,
): States {
  const group = '{% $states.input %}';
  const setRetention = 'Let it expire after a year';
  const done = 'Done with the log group';
  return {
    [PREPARE]: {
      Type: 'Map',
      Items: `{% [[$recovered, $former].('/aws/rds/instance/' & $ & '/') ~> $map(function($prefix) { ${logs}.($prefix & $) }) ~> $reduce($append)] %}`,
      ItemProcessor: {
        ProcessorConfig: { Mode: 'INLINE' },
        StartAt: 'Make one encrypted log group',
        States: {
          'Make one encrypted log group': {
            Type: 'Task',
            Resource: api('cloudwatchlogs', 'createLogGroup'),
            Arguments: {
              LogGroupName: group,
              KmsKeyId: logKeyArn,
              Tags: { application: 'billing-operations', environment: environmentName },
            },
            Output: '{% $states.input %}',
            Retry: RETRY_LOGS,
            Catch: [
              {
                ErrorEquals: ['CloudWatchLogs.ResourceAlreadyExistsException'],
                Output: '{% $states.input %}',
                Next: setRetention,
              },
            ],
            Next: setRetention,
          },
          [setRetention]: {
            Type: 'Task',
            Resource: api('cloudwatchlogs', 'putRetentionPolicy'),
            Arguments: { LogGroupName: group, RetentionInDays: LOG_RETENTION_DAYS },
            Retry: RETRY_LOGS,
            Next: done,
          },
          [done]: { Type: 'Succeed', Output: null },
        },
      },
      Output: '{% $states.input %}',
      Catch: [{ ErrorEquals: ['States.ALL'], Output: '{% $states.input %}', Next: 'Start the reminder' }],
      Next: 'Start the reminder',
    },
    'Start the reminder': {
      Type: 'Task',
      Comment: 'Reports, week by week, the instances of this recovery that still exist beside the one in use',
      Resource: 'arn:aws:states:::states:startExecution',
      Arguments: {
        StateMachineArn: reminderArn,
        // A recovery that is started again has its reminder already.
        Name: '{% $recovered %}',
        Input: { environment: environmentName, database, instances: ['{% $recovered %}', '{% $former %}'] },
      },
      Output: '{% $states.input %}',
      Retry: [
        // The reminder of this name has ended: no repeat starts it.
        { ErrorEquals: ['StepFunctions.ExecutionAlreadyExistsException'], MaxAttempts: 0 },
        { ErrorEquals: ['States.ALL'], IntervalSeconds: 2, MaxAttempts: 3 },
      ],
      Catch: [{ ErrorEquals: ['States.ALL'], Output: '{% $states.input %}', Next: 'Choose what to restore' }],
      Next: 'Choose what to restore',
    },
  };
}

const RETRY_LOGS = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 2, MaxAttempts: 3, BackoffRate: 2 }];
