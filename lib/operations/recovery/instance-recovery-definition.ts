import { cutOverMinutes, RECOVERY_POLICY } from '../../config/recovery-policy';
import { cutOverStates } from './cut-over-states';
import type { RecoveryDefinitionProps, State, States } from './instance-recovery-states';
import { proveStates } from './prove-states';
import { failureStates } from './failure-states';
import { restoreStates } from './restore-states';

/** Waits for RDS, of which none takes longer than the target: restored, configured, password, name, twice the proxy. */
const WAITS = 7;
/** Times that people are erased again: before the proof, after the confirmation, and at the end. */
const ERASINGS = 3;

/**
 * Seconds after which an execution is given up, should everything in it take as long as it may. A failure is explained
 * before: this only ends what hangs.
 */
export function longestSeconds({
  targetMinutes,
  proxyName,
}: Pick<RecoveryDefinitionProps, 'targetMinutes' | 'proxyName'>): number {
  const working = WAITS * targetMinutes + cutOverMinutes(proxyName !== undefined);
  const people =
    (RECOVERY_POLICY.confirmationHours + (proxyName === undefined ? 0 : RECOVERY_POLICY.renameDelayHours)) * 60;
  const erasing = ERASINGS * RECOVERY_POLICY.erasingHours * 60;
  return (working + people + erasing) * 60;
}

/** The workflow, in the Amazon States Language with JSONata. */
export function recoveryDefinition(props: RecoveryDefinitionProps): State & { readonly States: States } {
  return {
    Comment: `Recovers the instance of the ${props.database} database beside the one in use, and cuts over once confirmed`,
    QueryLanguage: 'JSONata',
    StartAt: 'Note the start',
    TimeoutSeconds: longestSeconds(props),
    States: {
      ...restoreStates(props),
      ...proveStates(props),
      ...cutOverStates(props),
      ...failureStates({
        runbookUrl: props.runbookUrl,
        runbookAnchor: 'instance-recovery-failed',
        instances: [props.settings.instanceIdentifier, '{% $recovered %}', '{% $former %}'],
      }),
    },
  };
}
