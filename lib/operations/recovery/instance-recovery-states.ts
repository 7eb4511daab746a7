import { retryableErrorNames } from '../../../core/runtime/error-codes';
import type { DatabaseName } from '../../../core/contract';
import type { InstanceSettings } from '../../data/database';

/** What the workflow works with. Values may be tokens: they are resolved when the definition is written. */
export interface RecoveryDefinitionProps {
  readonly database: DatabaseName;
  readonly settings: InstanceSettings;
  readonly securityGroupId: string;
  /** @default - the database has no proxy */
  readonly proxyName: string | undefined;
  readonly warmFunctionArn: string;
  readonly verifyFunctionArn: string;
  readonly resetPasswordFunctionArn: string;
  readonly confirmationQueueUrl: string;
  /** Minutes in which an instance must be verified and ready, by the policy. Told to whoever confirms. */
  readonly targetMinutes: number;
  /** Minutes after which warming stops, wherever it is. */
  readonly warmingMinutes: number;
}

/** One state of the Amazon States Language. */
export type State = Readonly<Record<string, unknown>>;

/** Seconds between two looks at an instance. A restore takes many minutes, a rename one or two. */
const POLL_SECONDS = 30;
const UNUSABLE = ['failed', 'restore-error', 'incompatible-restore', 'incompatible-parameters', 'incompatible-network'];

/** Resource of a call of the RDS API. */
export const rds = (action: string) => `arn:aws:states:::aws-sdk:rds:${action}`;

/** RDS answers nothing for a moment while an instance is renamed, and refuses changes while another one is applied. */
export const RETRIED = [
  {
    ErrorEquals: ['Rds.DbInstanceNotFoundException', 'Rds.InvalidDbInstanceStateException', 'Rds.RdsException'],
    IntervalSeconds: 30,
    MaxAttempts: 6,
    BackoffRate: 1.5,
  },
];
const RETRIED_FUNCTION = [
  {
    ErrorEquals: ['Lambda.ServiceException', 'Lambda.TooManyRequestsException', ...retryableErrorNames()],
    IntervalSeconds: 30,
    MaxAttempts: 3,
  },
];

/** States that wait until an instance may be worked with, and then go on to the next. */
export function untilAvailable(name: string, identifier: string, next: string): Record<string, State> {
  return {
    [name]: { Type: 'Wait', Seconds: POLL_SECONDS, Next: `${name}: look` },
    [`${name}: look`]: {
      Type: 'Task',
      Resource: rds('describeDBInstances'),
      Arguments: { DbInstanceIdentifier: identifier },
      Assign: { host: '{% $states.result.DbInstances[0].Endpoint.Address %}' },
      Output: '{% $states.result.DbInstances[0] %}',
      Retry: RETRIED,
      Next: `${name}: judge`,
    },
    [`${name}: judge`]: {
      Type: 'Choice',
      Choices: [
        {
          Condition:
            "{% $states.input.DbInstanceStatus = 'available' and $not($exists($states.input.PendingModifiedValues.MasterUserPassword)) %}",
          Next: next,
        },
        {
          Condition: `{% $states.input.DbInstanceStatus in ${JSON.stringify(UNUSABLE).replaceAll('"', "'")} %}`,
          Next: 'Unusable',
        },
      ],
      Default: name,
    },
  };
}

/** A call of one of our functions, whose answer is the state's output. */
export function invoking(functionArn: string, payload: State): State {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Arguments: { FunctionName: functionArn, Payload: payload },
    Output: '{% $states.result.Payload %}',
    Retry: RETRIED_FUNCTION,
  };
}
