import { API_METRICS } from '../../../lambdas/api/contract';
import type { AlarmDefinition } from './alarm-definition';
import { countOf, sumOf } from './alarm-metric';

/** Seconds of one period. */
const PERIOD_SECONDS = 300;

/** The alarms on what applications are answered. */
export function apiAlarms(): AlarmDefinition[] {
  return [apiFailed(), apiThrottled(), apiKeysRejected()];
}

function apiFailed(): AlarmDefinition {
  return {
    name: 'apiFailed',
    measure: 'Requests that the API answered 500 or 503, or not at all',
    unit: 'count',
    thresholds: { warning: 0, critical: 50 },
    comparisonOperator: 'GreaterThanThreshold',
    // A function that crashes or times out publishes nothing itself.
    metric: sumOf('apiFailed', [{ from: 'lambda', stem: 'api', name: 'Errors' }, countOf('api', API_METRICS.failed)]),
    periodSeconds: PERIOD_SECONDS,
    evaluationPeriods: 1,
    treatMissingData: 'notBreaching',
    symptom: 'The API answers requests of applications with 500 or 503, or crashes',
    action: 'Read the log of the function `api`: each failure is one line with its code and reason.',
    owner: 'billing',
    runbookAnchor: 'api-failed',
    consolePage: { functionOf: 'api' },
  };
}

function apiThrottled(): AlarmDefinition {
  return {
    name: 'throttled-api',
    measure: 'Throttled requests',
    unit: 'count',
    thresholds: { warning: 0 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: { from: 'lambda', stem: 'api', name: 'Throttles' },
    periodSeconds: PERIOD_SECONDS,
    evaluationPeriods: 1,
    treatMissingData: 'notBreaching',
    symptom: 'Requests to the API are refused, since all instances of the function api are at work',
    action: 'See in the access log which route takes long, or is called too often, and by whom.',
    owner: 'billing',
    runbookAnchor: 'function-throttled',
    consolePage: { functionOf: 'api' },
  };
}

function apiKeysRejected(): AlarmDefinition {
  return {
    name: 'apiKeysRejected',
    measure: 'Requests that were refused for their key',
    unit: 'count',
    // A client with an old key asks once a second; fewer are a person who tries.
    thresholds: { warning: 100 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: countOf('api', API_METRICS.rejected),
    periodSeconds: PERIOD_SECONDS,
    evaluationPeriods: 1,
    treatMissingData: 'notBreaching',
    symptom: 'Many requests come with a wrong key: an application lost its key, or somebody guesses',
    action: 'See in the log of the function `api` why they are refused, and in the access log where they come from.',
    owner: 'billing',
    runbookAnchor: 'api-keys-rejected',
    consolePage: { functionOf: 'api' },
  };
}
