import { api, EXPLAIN, RETRY_READS, type RecoveryDefinitionProps, type States } from './instance-recovery-states';

/** Why a recovery failed, from any state: what exists, what is safe, how to go on. */
export function failureStates({ settings, runbookUrl }: RecoveryDefinitionProps): States {
  const said = (text: string) => `$replace($replace(${text}, '"', "'"), /\\s+/, ' ')`;
  return {
    [EXPLAIN]: {
      Type: 'Map',
      Items: [settings.instanceIdentifier, '{% $recovered %}', '{% $former %}'],
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
      Next: 'Explain the failure',
    },
    'Explain the failure': {
      Type: 'Fail',
      Error: '{% $failure.error %}',
      // One line without double quotes, for the message to the topic.
      Cause: `{% ${said("'State: ' & $failure.state & '. Cause: ' & $failure.error & ', ' & $substring($failure.cause, 0, 600)")} & '. Exists now: ' & $join($states.input, '; ') & '. Safe: ' & $failure.safe & ' To go on: ' & $failure.goOn & ' Runbook: ${runbookUrl}#instance-recovery-failed' %}`,
    },
  };
}
