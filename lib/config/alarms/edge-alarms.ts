import { WEBHOOK_METRICS } from '../../../lambdas/webhook/contract';
import type { EnvironmentConfig } from '../environment-schema';
import { COUNTING_RULES } from '../firewall-rules';
import type { AlarmDefinition } from './alarm-definition';
import { countOf, type AlarmMetric } from './alarm-metric';
import { TWO_OF_THREE_PERIODS } from './threshold-alarms';
import { webhookEndpointsOf } from '../webhook-endpoints';

/** Requests of five minutes below which a difference between two counters is the moment at which each is published. */
const MINIMUM_REFUSED = 20;

/** The alarms on deliveries that are refused before a function sees them. Stripe gives up on those after three days. */
export function edgeAlarms(config: EnvironmentConfig): AlarmDefinition[] {
  return [...(config.firewall ? [deliveriesBlocked()] : []), deliveriesThrottled(config)];
}

/** What a counting rule of the firewall matched. */
const counted = (rule: string): AlarmMetric => ({ from: 'firewall', rule, name: 'CountedRequests' });

function deliveriesBlocked(): AlarmDefinition {
  return {
    ...TWO_OF_THREE_PERIODS,
    name: 'deliveriesBlocked',
    measure: 'Signed deliveries that the firewall blocked',
    unit: 'count',
    // Anybody can send something that looks signed: a few of them are no reason to wake somebody.
    thresholds: { warning: 0, critical: 20 },
    metric: {
      from: 'math',
      label: 'deliveriesBlocked',
      expression: 'arriving - FILL(admitted, 0)',
      metrics: { arriving: counted(COUNTING_RULES.arriving), admitted: counted(COUNTING_RULES.admitted) },
    },
    symptom:
      'The firewall blocks deliveries that carry a signature: Stripe is answered 403 or 429, and no function sees it',
    action: 'Find the rule in the log of the firewall; where it is an address, add those that Stripe publishes.',
    owner: 'billing',
    runbookAnchor: 'deliveries-refused',
    consolePage: 'firewall',
  };
}

function deliveriesThrottled(config: EnvironmentConfig): AlarmDefinition {
  const { firewall } = config;
  const measure = 'Deliveries that API Gateway refused';
  const paths = webhookEndpointsOf(config).map(({ path }) => path);
  const added = (name: 'Count' | '4XXError') =>
    paths.map((_, index) => `FILL(${name === 'Count' ? 'all' : 'refused'}${index}, 0)`);
  const ofPaths = (prefix: string, name: 'Count' | '4XXError') =>
    paths.map((path, index): [string, AlarmMetric] => [
      `${prefix}${index}`,
      { from: 'api', name, path, statistic: 'Sum' },
    ]);
  // What the firewall blocks, API Gateway counts as refused too: it has an alarm of its own, which anybody can raise.
  const blocked = firewall ? ' - (FILL(arriving, 0) - FILL(admitted, 0))' : '';
  const refused = `(${added('4XXError').join(' + ')} - FILL(rejected, 0)${blocked})`;
  return {
    ...TWO_OF_THREE_PERIODS,
    name: 'deliveriesThrottled',
    measure,
    unit: '%',
    thresholds: { warning: 1, critical: 10 },
    metric: {
      from: 'math',
      label: measure,
      // What is answered 4xx, and not by the function or the firewall: throttled (429), too large for API Gateway (413).
      expression: `IF(${refused} >= ${MINIMUM_REFUSED}, 100 * ${refused} / (${added('Count').join(' + ')}), 0)`,
      metrics: {
        ...Object.fromEntries([...ofPaths('refused', '4XXError'), ...ofPaths('all', 'Count')]),
        rejected: countOf('webhook', WEBHOOK_METRICS.rejected),
        ...(firewall && { arriving: counted(COUNTING_RULES.arriving), admitted: counted(COUNTING_RULES.admitted) }),
      },
    },
    symptom: 'API Gateway refuses deliveries before the webhook function sees them, mostly by throttling (429)',
    action: 'Compare the requests per second with the limits of the stage; find out who sends them.',
    owner: 'billing',
    runbookAnchor: 'deliveries-refused',
    consolePage: 'alarm',
  };
}
