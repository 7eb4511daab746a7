import { api, EXPLAIN, RETRY_READS, type States } from './instance-recovery-states';

/** What a failed execution tells. */
export interface FailureProps {
  /** URL of the runbook as a page, without an anchor. */
  readonly runbookUrl: string;
  /** Heading of the runbook that continues from there. */
  readonly runbookAnchor: string;
  /** Identifiers, or JSONata of them, of the instances that are looked at. */
  readonly instances: readonly string[];
  /** State between looking and explaining, whose output is the list of what exists. @default - none */
  readonly next?: string;
}

/** State that ends an execution with what exists, what is safe and how to go on. */
export const END_IN_FAILURE = 'Explain the failure';

/** Why an execution failed, from any state: what exists, what is safe, how to go on. */
export function failureStates({ runbookUrl, runbookAnchor, instances, next = END_IN_FAILURE }: FailureProps): States {
  const said = (text: string) => `$replace($replace(${text}, '"', "'"), /\\s+/, ' ')`;
  return {
    [EXPLAIN]: {
      Type: 'Map',
      Items: [...instances],
      ItemProcessor: {
        ProcessorConfig: { Mode: 'INLINE' },
        StartAt: 'Look at one instance',
        States: {
          'Look at one instance': {
            Type: 'Task',
            Resource: api('rds', 'describeDBInstances'),
            Arguments: { DbInstanceIdentifier: '{% $states.input %}' },
            Output: "{% $states.input & ' is ' & $states.result.DbInstances[0].DbInstanceStatus %}",
            Retry: RETRY_READS,
            Catch: [
              {
                ErrorEquals: ['Rds.DbInstanceNotFoundException'],
                Output: "{% $states.input & ' does not exist' %}",
                Next: 'Seen',
              },
              {
                ErrorEquals: ['States.ALL'],
                Output: "{% $states.input & ' cannot be seen (' & $states.errorOutput.Error & ')' %}",
                Next: 'Seen',
              },
            ],
            Next: 'Seen',
          },
          Seen: { Type: 'Succeed' },
        },
      },
      Next: next,
    },
    [END_IN_FAILURE]: {
      Type: 'Fail',
      Error: '{% $failure.error %}',
      // One line without double quotes, for the message to the topic.
      Cause: `{% ${said("'State: ' & $failure.state & '. Cause: ' & $failure.error & ', ' & $substring($failure.cause, 0, 600)")} & '. Exists now: ' & $join($states.input, '; ') & '. Safe: ' & $failure.safe & ' To go on: ' & $failure.goOn & ' Runbook: ${runbookUrl}#${runbookAnchor}' %}`,
    },
  };
}
