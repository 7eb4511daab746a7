import { retryableErrorNames } from '../../../core/runtime/error-codes';
import { LARGE_ARCHIVE_POLICY } from '../../config/recovery-policy';
import {
  explained,
  failsWhen,
  invoking,
  type RecoveryDefinitionProps,
  type Stage,
  type State,
  type States,
} from './instance-recovery-states';
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
export interface LargeArchiveDefinitionProps
  extends TemporaryInstanceProps, Pick<RecoveryDefinitionProps, 'runbookUrl'> {
  /** Function that plans, copies parts and publishes. */
  readonly backupFunctionArn: string;
  /** Parts that are copied at the same time. */
  readonly concurrentParts: number;
}

/** Label of the map, which is part of the ARNs of what it starts. */
export const PARTS_LABEL = 'Parts';

const NOTHING_DONE: Stage = {
  safe: 'Nothing was made.',
  goOn: "'Start the backup of the database, which starts this workflow with what it needs.'",
};
/** An archive without a manifest is none, and what was copied is removed by a later backup. */
const ARCHIVING: Stage = {
  safe: 'The instance in use was not touched, earlier archives are as they were, and no incomplete archive was published.',
  goOn: "'Remove the cause, then start the backup of the database again. What was copied is removed by a later backup.'",
};

/** Errors of Lambda: a call that ran out of time or memory. */
const CUT_OFF = ['Sandbox.Timedout', 'Runtime.ExitError', 'Lambda.Unknown'];
/** A part is copied again at any time: what is there already is kept. */
export const RETRY_PART = [
  {
    ErrorEquals: ['Lambda.TooManyRequestsException'],
    IntervalSeconds: 10,
    MaxAttempts: 20,
    BackoffRate: 1.5,
    MaxDelaySeconds: 60,
    JitterStrategy: 'FULL',
  },
  {
    ErrorEquals: [
      'Lambda.ServiceException',
      'Lambda.AWSLambdaException',
      'Lambda.SdkClientException',
      'Lambda.ClientExecutionTimeoutException',
      ...CUT_OFF,
      ...retryableErrorNames(),
    ],
    IntervalSeconds: 15,
    MaxAttempts: 4,
    BackoffRate: 2,
    MaxDelaySeconds: 120,
    JitterStrategy: 'FULL',
  },
];

/**
 * The workflow that archives a database above the streaming limit, in the Amazon States Language with JSONata: it restores
 * the recovery point of its input (`snapshotArn`, `takenAt`) beside the instance in use, plans the archive of `slot`, copies
 * each part by a call of its own, publishes, and removes the instance. So the recovery point is proven as well.
 */
export function largeArchiveDefinition(props: LargeArchiveDefinitionProps): State & { readonly States: States } {
  const { database, targetMinutes, settings, runbookUrl } = props;
  const { keepHours, remindHours } = LARGE_ARCHIVE_POLICY;
  const temporary = { ...props, keepHours, remindHours };
  return {
    Comment: `Archives the ${database} database, which is too large for one call, from its newest recovery point`,
    QueryLanguage: 'JSONata',
    StartAt: 'Note the start',
    // A failure is explained before: this only ends what hangs, and the expiry of the instance removes it then.
    TimeoutSeconds: keepHours * 3600,
    States: {
      ...askedFor(temporary),
      ...temporaryInstanceStates(temporary, 'Plan the archive'),
      ...archiving(props),
      ...removalStates({ targetMinutes }, 'Archived'),
      Archived: { Type: 'Succeed' },
      ...temporaryFailureStates({ settings, runbookUrl, runbookAnchor: 'large-archive-failed' }),
    },
  };
}

function askedFor(props: TemporaryInstanceProps): States {
  return {
    'Note the start': {
      Type: 'Pass',
      Comment: 'Name of the temporary instance, and until when it is kept',
      Assign: { ...temporaryVariables(props), removalResult: null },
      Next: 'Check the request',
    },
    'Check the request': {
      Type: 'Choice',
      Choices: [
        failsWhen(
          "$count(['slot', 'snapshotArn', 'takenAt'][$type($lookup($states.input, $)) = 'string']) < 3",
          NOTHING_DONE,
          {
            error: 'RequestRefused',
            cause: "'the input must be {slot, snapshotArn, takenAt}, as the backup starts it'",
          },
        ),
      ],
      Default: 'Note the recovery point',
    },
    'Note the recovery point': {
      Type: 'Pass',
      Assign: {
        slot: '{% $states.input.slot %}',
        recoveryPoint: { snapshot: '{% $states.input.snapshotArn %}', takenAt: '{% $states.input.takenAt %}' },
      },
      Next: bringUp(props),
    },
  };
}

/** From an instance that stands still to an archive. */
function archiving({ database, backupFunctionArn, concurrentParts }: LargeArchiveDefinitionProps): States {
  const copy = 'Copy one part';
  const step = { database, slot: '{% $slot %}', host: '{% $host %}' };
  return {
    'Plan the archive': invoking(
      backupFunctionArn,
      { step: 'plan', ...step, recoveryPoint: '{% $recoveryPoint %}' },
      ARCHIVING,
      {
        // A distributed map sees no variables: what it needs is its input.
        Output: "{% $merge([$states.result.Payload, {'slot': $slot, 'host': $host}]) %}",
        Next: 'Copy the parts',
      },
    ),
    'Copy the parts': {
      Type: 'Map',
      Label: PARTS_LABEL,
      MaxConcurrency: concurrentParts,
      ToleratedFailureCount: 0,
      ItemReader: {
        Resource: 'arn:aws:states:::s3:getObject',
        ReaderConfig: { InputType: 'JSON' },
        Arguments: { Bucket: '{% $states.input.bucket %}', Key: '{% $states.input.partsKey %}' },
      },
      ItemSelector: {
        step: 'part',
        database,
        slot: '{% $states.input.slot %}',
        host: '{% $states.input.host %}',
        attempt: '{% $states.input.attempt %}',
        part: '{% $states.context.Map.Item.Value %}',
      },
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        StartAt: copy,
        States: {
          [copy]: {
            Type: 'Task',
            Resource: 'arn:aws:states:::lambda:invoke',
            Arguments: { FunctionName: backupFunctionArn, Payload: '{% $states.input %}' },
            Retry: RETRY_PART,
            // The results of all parts have to fit into 256 KiB: 64 TiB are 65,536 parts.
            Output: 0,
            End: true,
          },
        },
      },
      Output: '{% $states.input %}',
      Catch: explained(ARCHIVING),
      Next: 'Publish the archive',
    },
    'Publish the archive': invoking(
      backupFunctionArn,
      { step: 'publish', ...step, attempt: '{% $states.input.attempt %}' },
      ARCHIVING,
      { Output: '{% $states.result.Payload.archive %}', Next: REMOVE },
    ),
  };
}
