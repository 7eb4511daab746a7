import { CANARY_METRICS } from '../../../lambdas/canary/contract';
import type { EnvironmentConfig } from '../environment-schema';
import type { AlarmDefinition } from './alarm-definition';
import { countOf, highestOf, sumOf } from './alarm-metric';

/** Seconds between two events of the canary. */
const PERIOD_SECONDS = 300;

/** The alarms on the event that the platform sends through its own endpoint. */
export function canaryAlarms({ canary }: EnvironmentConfig): AlarmDefinition[] {
  return canary ? [canaryFailed(), canaryLost(), canarySlow()] : [];
}

function canaryFailed(): AlarmDefinition {
  return {
    name: 'canaryFailed',
    measure: 'Signed test events that arrived in the ledger',
    unit: 'count',
    thresholds: { critical: 1 },
    comparisonOperator: 'LessThanThreshold',
    // A new environment has no signing secret until an operator fills it in. Filled with 0, a period without a run counts at
    // once; CloudWatch goes by older values otherwise, which takes ten minutes more.
    metric: sumOf('canaryFailed', [
      countOf('canary', CANARY_METRICS.succeeded),
      countOf('canary', CANARY_METRICS.unconfigured),
    ]),
    periodSeconds: PERIOD_SECONDS,
    // One alone fails in a deployment, and a run that ends late leaves a period without a value.
    evaluationPeriods: 3,
    // One that does not run proves nothing.
    treatMissingData: 'breaching',
    symptom: 'No signed test event has come from the public endpoint into the ledger for 15 minutes',
    action: 'Read the log of the canary function: it says whether the endpoint refused it or its row did not come.',
    owner: 'billing',
    runbookAnchor: 'canary-failed',
    consolePage: { functionOf: 'canary' },
  };
}

function canaryLost(): AlarmDefinition {
  return {
    name: 'canaryLost',
    measure: 'Signed test events that did not arrive',
    unit: 'count',
    thresholds: { warning: 0 },
    comparisonOperator: 'GreaterThanThreshold',
    // One metric: it is there in an environment without computed alarms, too.
    metric: countOf('canary', CANARY_METRICS.lost),
    periodSeconds: PERIOD_SECONDS,
    // One alone fails in a deployment. Two that do not follow each other raise no other alarm.
    evaluationPeriods: 12,
    datapointsToAlarm: 2,
    treatMissingData: 'notBreaching',
    symptom: 'Of the signed test events of an hour, two or more have not come from the public endpoint into the ledger',
    action: 'Read the log of the canary function: it says whether the endpoint refused it or its row did not come.',
    owner: 'billing',
    runbookAnchor: 'canary-failed',
    consolePage: { functionOf: 'canary' },
  };
}

function canarySlow(): AlarmDefinition {
  return {
    name: 'canarySlow',
    measure: 'Time from the endpoint to the ledger',
    unit: 'ms',
    thresholds: { warning: 30_000 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: highestOf('canary', CANARY_METRICS.latencyMs),
    periodSeconds: PERIOD_SECONDS,
    evaluationPeriods: 3,
    treatMissingData: 'ignore',
    symptom: 'A signed test event takes longer than 30 s from the public endpoint into the ledger',
    action:
      'Look at the age of the queue and at the duration of the processor: events arrive faster than they are applied.',
    owner: 'billing',
    runbookAnchor: 'canary-slow',
    consolePage: { functionOf: 'processor' },
  };
}
