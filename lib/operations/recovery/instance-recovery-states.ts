import { retryableErrorNames } from '../../../core/runtime/error-codes';
import type { DatabaseName } from '../../../core/contract';
import { RECOVERY_POLICY } from '../../config/recovery-policy';
import type { InstanceSettings } from '../../data/database';
import type { ExistingInstance } from '../../data/existing-instance';
import { RECOVERY_EVENT_SOURCE, type RecoveryEvent } from './recovery-events';

/** What the workflow works with. Values may be tokens: they are resolved when the definition is written. */
export interface RecoveryDefinitionProps {
  readonly environmentName: string;
  /** URL of the runbook as a page, without an anchor. */
  readonly runbookUrl: string;
  readonly database: DatabaseName;
  /** Those of the template; of an existing instance what is known beforehand, and the rest is read from it. */
  readonly settings: InstanceSettings | ExistingInstance;
  /** Of an instance that the stack made. @default - an existing one, which names its own */
  readonly securityGroupId?: string;
  /** @default - the database has no proxy */
  readonly proxyName: string | undefined;
  readonly verifyFunctionArn: string;
  readonly erasureFunctionArn: string;
  readonly warmFunctionArn: string;
  readonly resetPasswordFunctionArn: string;
  readonly migrateFunctionArn: string;
  /** State machine that reminds of instances which a recovery leaves behind. */
  readonly reminderArn: string;
  /** Prefix of the ARNs of snapshots that can be restored. */
  readonly snapshotArnPrefix: string;
  /** Key of the logs of the instances that the workflow makes. */
  readonly logKeyArn: string;
  /** Minutes from the start to traffic, by the policy. No wait for RDS takes longer than this. */
  readonly targetMinutes: number;
}

/** One state of the Amazon States Language. */
export type State = Readonly<Record<string, unknown>>;
/** States by the names that an operator reads. */
export type States = Readonly<Record<string, State>>;

/** Tag of a recovered instance: the identifier that it was restored under. It keeps the tag when it is renamed. */
export const RECOVERED_AS_TAG = 'recovered-as';

/** Statuses in which an instance answers queries and takes changes. */
const READY = ['available', 'storage-optimization', 'storage-initialization', 'storage-config-upgrade'];
/** Statuses that pass by themselves. Every other one is final: RDS waits for a person, or has given up. */
const TRANSIENT = [
  'backing-up',
  'configuring-associated-roles',
  'configuring-enhanced-monitoring',
  'configuring-iam-database-auth',
  'configuring-log-exports',
  'converting-to-vpc',
  'creating',
  'maintenance',
  'modifying',
  'moving-to-vpc',
  'rebooting',
  'renaming',
  'resetting-master-credentials',
  'starting',
  'upgrading',
];

const listed = (values: readonly string[]) => `[${values.map((value) => `'${value}'`).join(', ')}]`;
/** Conditions on the instance that is the input of a Choice. */
export const IS_MISSING = "$states.input.DbInstanceStatus = 'does not exist'";
export const IS_READY = `($states.input.DbInstanceStatus in ${listed(READY)} and $exists($states.input.Endpoint.Address) and $not($exists($states.input.PendingModifiedValues.MasterUserPassword)))`;
export const IS_PASSING = `($states.input.DbInstanceStatus in ${listed([...READY, ...TRANSIENT])})`;
export const IS_THE_RECOVERED_ONE = `($count($states.input.TagList[Key = '${RECOVERED_AS_TAG}' and Value = $recovered]) > 0)`;
export const IS_LATE = '($millis() > $waitUntil)';

/** Resource of a call of an AWS API. */
export const api = (service: string, action: string) => `arn:aws:states:::aws-sdk:${service}:${action}`;
export const rds = (action: string) => api('rds', action);

export const NOT_FOUND = 'Rds.DbInstanceNotFoundException';
export const INVALID_STATE = 'Rds.InvalidDbInstanceStateException';

/** `Rds.RdsException` is what the API models no error for: throttling above all. */
const BUSY = ['Rds.RdsException', 'Rds.SdkClientException'];
/** For calls that only read. */
export const RETRY_READS = [
  {
    ErrorEquals: BUSY,
    IntervalSeconds: 5,
    MaxAttempts: 8,
    BackoffRate: 2,
    MaxDelaySeconds: 60,
    JitterStrategy: 'FULL',
  },
];
/** For changes, which RDS refuses while it applies another, and the proxy while it is changed itself. */
export const RETRY_CHANGES = [
  {
    ErrorEquals: [
      ...BUSY,
      NOT_FOUND,
      INVALID_STATE,
      'Rds.InvalidDbProxyStateException',
      'Rds.InsufficientAvailableIPsInSubnetException',
      'Rds.DbProxyTargetGroupNotFoundException',
    ],
    IntervalSeconds: 15,
    MaxAttempts: 10,
    BackoffRate: 1.5,
    MaxDelaySeconds: 60,
  },
];
const RETRY_FUNCTION = [
  {
    ErrorEquals: [
      'Lambda.ServiceException',
      'Lambda.AWSLambdaException',
      'Lambda.SdkClientException',
      'Lambda.ClientExecutionTimeoutException',
      'Lambda.TooManyRequestsException',
      ...retryableErrorNames(),
    ],
    IntervalSeconds: 30,
    MaxAttempts: 3,
  },
];

/** How far a recovery has got, as far as an operator has to know. */
export interface Stage {
  /** What nothing has happened to, as one sentence. */
  readonly safe: string;
  /** JSONata that yields what to do next, as one sentence. */
  readonly goOn: string;
}

/** Where a failed recovery is explained. */
export const EXPLAIN = 'Find out what exists now';

/** Sends a state that fails to the explanation. `States.ALL` matches every error but that of too much data. */
export function explained(stage: Stage): State[] {
  const catcher = (error: string) => ({
    ErrorEquals: [error],
    Assign: {
      failure: {
        state: '{% $states.context.State.Name %}',
        error: '{% $states.errorOutput.Error %}',
        cause: "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '' %}",
        safe: stage.safe,
        goOn: `{% ${stage.goOn} %}`,
      },
    },
    Next: EXPLAIN,
  });
  return [catcher('States.DataLimitExceeded'), catcher('States.ALL')];
}

/** Why a Choice ends the recovery. */
export interface Failure {
  readonly error: string;
  /** JSONata. */
  readonly cause: string;
}

function failing(stage: Stage, { error, cause }: Failure): State {
  return {
    failure: {
      state: '{% $states.context.State.Name %}',
      error,
      cause: `{% ${cause} %}`,
      safe: stage.safe,
      goOn: `{% ${stage.goOn} %}`,
    },
  };
}

/** A rule of a Choice that ends the recovery. */
export function failsWhen(condition: string, stage: Stage, failure: Failure): State {
  return { Condition: `{% ${condition} %}`, Assign: failing(stage, failure), Next: EXPLAIN };
}

/** Fields of a Choice that ends the recovery when no rule holds. */
export function otherwiseFails(stage: Stage, failure: Failure): State {
  return { Default: EXPLAIN, Assign: failing(stage, failure) };
}

/** A call of the RDS API. Fields of `rest` replace its own; its catchers come before the explanation. */
export function rdsTask(action: string, stage: Stage, { Catch = [], ...rest }: State): State {
  return {
    Type: 'Task',
    Resource: rds(action),
    Retry: RETRY_CHANGES,
    ...rest,
    Catch: [...(Catch as State[]), ...explained(stage)],
  };
}

/** Reads an instance, which becomes the output; one that does not exist gets that for a status. */
export function lookAt(identifier: string, stage: Stage, next: string): State {
  return rdsTask('describeDBInstances', stage, {
    Arguments: { DbInstanceIdentifier: identifier },
    Output: '{% $states.result.DbInstances[0] %}',
    Retry: RETRY_READS,
    Catch: [{ ErrorEquals: [NOT_FOUND], Output: { DbInstanceStatus: 'does not exist' }, Next: next }],
    Next: next,
  });
}

/** Goes to a wait, and gives it as long as the target allows a whole recovery. */
export function waitingIn(wait: string, targetMinutes: number): { Next: string; Assign: State } {
  return { Next: wait, Assign: { waitUntil: `{% $millis() + ${targetMinutes * 60_000} %}` } };
}

export interface UntilReady {
  /** Name of the wait, such as `Wait until restored`. Go to it by {@link waitingIn}. */
  readonly wait: string;
  /** Identifier, or JSONata of one. */
  readonly instance: string;
  readonly stage: Stage;
  readonly targetMinutes: number;
  /** State that the wait leads to, or how it goes there. */
  readonly next: string | { readonly Next: string; readonly Assign: State };
  /** How to go on from a status that is final. @default `stage` */
  readonly whenUnusable?: Stage;
  /** State that decides about an instance that does not exist. @default - RDS may need time to know it */
  readonly whenMissing?: string;
}

/** States that wait until an instance is ready, and keep its host and the size of its disk. */
export function untilReady(props: UntilReady): States {
  const { wait, stage, targetMinutes, next, whenMissing, whenUnusable = stage } = props;
  const look = `${wait}: look`;
  const judge = `${wait}: judge`;
  const { Next, Assign = {} } = typeof next === 'string' ? { Next: next } : next;
  const unknownYet = `${IS_MISSING} and $millis() < $waitUntil - ${(targetMinutes - RECOVERY_POLICY.unknownMinutes) * 60_000}`;
  return {
    [wait]: { Type: 'Wait', Seconds: RECOVERY_POLICY.pollSeconds, Next: look },
    [look]: lookAt(props.instance, stage, judge),
    [judge]: {
      Type: 'Choice',
      Choices: [
        {
          Condition: `{% ${IS_READY} %}`,
          Assign: {
            host: '{% $states.input.Endpoint.Address %}',
            allocatedGiB: '{% $states.input.AllocatedStorage %}',
            ...Assign,
          },
          Next,
        },
        ...(whenMissing === undefined
          ? [
              { Condition: `{% ${IS_MISSING} and $not(${IS_LATE}) %}`, Next: wait },
              failsWhen(IS_MISSING, stage, {
                error: 'InstanceLate',
                cause: `'it does not exist after ${targetMinutes} minutes, the restore target'`,
              }),
            ]
          : [
              { Condition: `{% ${unknownYet} %}`, Next: wait },
              { Condition: `{% ${IS_MISSING} %}`, Next: whenMissing },
            ]),
        failsWhen(`$not(${IS_PASSING})`, whenUnusable, {
          error: 'InstanceUnusable',
          cause:
            "'its status is ' & $states.input.DbInstanceStatus & ', which does not pass by itself: see the events of the instance in RDS'",
        }),
        failsWhen(IS_LATE, stage, {
          error: 'InstanceLate',
          cause: `'its status is still ' & $states.input.DbInstanceStatus & ' after ${targetMinutes} minutes, the restore target'`,
        }),
      ],
      Default: wait,
    },
  };
}

/** State that erases again who was erased since the moment that was restored: before anything of it is handed over. */
export const ERASE_AGAIN = 'Erase again who was erased since';

/** Variable of the position at which the replay of erasures continues: null before it begins, and when it has ended. */
export const ERASE_FROM = { eraseFrom: null };

/** States that erase people again, in as many calls as it takes. {@link ERASE_FROM} is assigned before. */
export function erasingAgain(
  name: string,
  { erasureFunctionArn, database }: Pick<RecoveryDefinitionProps, 'erasureFunctionArn' | 'database'>,
  stage: Stage,
  next: string,
): States {
  const judge = `${name}: judge`;
  return {
    [name]: invoking(
      erasureFunctionArn,
      { action: 'replay', database, host: '{% $host %}', dryRun: false, continueFrom: '{% $eraseFrom %}' },
      stage,
      { Assign: { eraseFrom: '{% $states.result.Payload.continueFrom %}' }, Next: judge },
    ),
    [judge]: { Type: 'Choice', Choices: [{ Condition: '{% $states.input.done %}', Next: next }], Default: name },
  };
}

/** A call of one of our functions, whose answer is the state's output. */
export function invoking(functionArn: string, payload: State | string, stage: Stage, rest: State): State {
  const { Catch = [], ...fields } = rest;
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Arguments: { FunctionName: functionArn, Payload: payload },
    Output: '{% $states.result.Payload %}',
    Retry: RETRY_FUNCTION,
    ...fields,
    Catch: [...(Catch as State[]), ...explained(stage)],
  };
}

/** Arguments that put one event on the default bus. */
export function eventOf(
  { environmentName, database }: Pick<RecoveryDefinitionProps, 'environmentName' | 'database'>,
  detailType: RecoveryEvent,
  detail: State,
): State {
  return {
    Entries: [
      {
        Source: RECOVERY_EVENT_SOURCE,
        DetailType: detailType,
        Detail: { environment: environmentName, database, ...detail },
      },
    ],
  };
}

/** Puts an event on the bus. A recovery goes on without it: nothing waits for the message. */
export function announcing(
  props: Pick<RecoveryDefinitionProps, 'environmentName' | 'database'>,
  detailType: RecoveryEvent,
  detail: State,
  next: string,
): State {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::events:putEvents',
    Arguments: eventOf(props, detailType, detail),
    Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 2, MaxAttempts: 3 }],
    Catch: [{ ErrorEquals: ['States.ALL'], Next: next }],
    Next: next,
  };
}
