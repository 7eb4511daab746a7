import { CONFIRMATIONS_METRICS } from '../../../lambdas/confirmations/contract';
import type { BitcoinConfig } from '../bitcoin-settings';
import type { EnvironmentConfig } from '../environment-schema';
import type { AlarmDefinition } from './alarm-definition';
import { countOf, highestOf, sumOf } from './alarm-metric';
import { ANY_WITHIN_AN_HOUR } from './job-alarms';

/** Published by each run, every two minutes; three periods outlast a deployment. */
const QUARTER_OF_AN_HOUR = { periodSeconds: 300, evaluationPeriods: 3 } as const;
/** A gauge of the runs, which have an alarm of their own for not being there. */
const GAUGE = {
  ...QUARTER_OF_AN_HOUR,
  unit: 's',
  comparisonOperator: 'GreaterThanThreshold',
  treatMissingData: 'notBreaching',
} as const;

/** Hours that a payment may be under way. A fee that is too low for the day waits for the weekend. */
const UNSETTLED_HOURS = 24;
/**
 * Minutes since the last block. Blocks are ten minutes apart on average, by chance: once in three years none comes for two hours.
 */
const BLOCK_AGE_MINUTES = 120;

/** The alarms on payments in bitcoin, and on the node that tells of them. */
export function bitcoinAlarms({ bitcoin }: EnvironmentConfig): AlarmDefinition[] {
  if (bitcoin === undefined) return [];
  return [...paymentAlarms(bitcoin), ...nodeAlarms(bitcoin), ...runAlarms()];
}

function paymentAlarms({ targetMinutes }: BitcoinConfig): AlarmDefinition[] {
  return [
    {
      ...GAUGE,
      name: 'bitcoinPending',
      measure: 'Time that the oldest payment in bitcoin is under way',
      thresholds: { warning: UNSETTLED_HOURS * 60 * 60 },
      metric: highestOf('confirmations', CONFIRMATIONS_METRICS.oldestUnsettledSeconds),
      symptom: `A payment in bitcoin has been under way for more than ${UNSETTLED_HOURS} hours`,
      action: '`ops bitcoin status` names it: too low a fee, too low an amount, or a node that does not see its block.',
      owner: 'billing',
      runbookAnchor: 'bitcoin-payment-pending',
      consolePage: { functionOf: 'confirmations' },
    },
    {
      ...ANY_WITHIN_AN_HOUR,
      name: 'bitcoinFailed',
      measure: 'Payments in bitcoin that failed or came too late',
      thresholds: { warning: 0 },
      metric: countOf('confirmations', CONFIRMATIONS_METRICS.paymentsLost),
      symptom:
        'A payment in bitcoin was spent elsewhere, stayed too low, or came too late: the customer gets nothing for it',
      action: '`ops bitcoin status` names it and says which; refund it, or ask the customer to pay again.',
      owner: 'billing',
      runbookAnchor: 'bitcoin-payment-failed',
      consolePage: { functionOf: 'confirmations' },
    },
    {
      ...GAUGE,
      name: 'bitcoinSlow',
      measure: 'Mean time from the first sight of a payment in bitcoin to its settlement',
      thresholds: { warning: targetMinutes * 60 },
      metric: highestOf('confirmations', CONFIRMATIONS_METRICS.confirmationSeconds),
      symptom: `Payments in bitcoin took more than ${targetMinutes} minutes on average in the last 24 hours`,
      action:
        'Compare the fees that customers pay with those of the day; ask for fewer confirmations of small amounts.',
      owner: 'billing',
      runbookAnchor: 'bitcoin-payments-slow',
      consolePage: 'alarm',
    },
  ];
}

function nodeAlarms({ reorganisationBlocks }: BitcoinConfig): AlarmDefinition[] {
  return [
    {
      ...QUARTER_OF_AN_HOUR,
      name: 'bitcoinNodeUnreachable',
      measure: 'Runs in 5 minutes that the Bitcoin node did not answer',
      unit: 'count',
      thresholds: { critical: 0 },
      comparisonOperator: 'GreaterThanThreshold',
      metric: countOf('confirmations', CONFIRMATIONS_METRICS.nodeUnreachable),
      treatMissingData: 'notBreaching',
      symptom: 'The Bitcoin node has not answered for 15 minutes: nothing is lost, and no payment is settled',
      action: 'The log of the confirmations function says why; start the node, or open the way to it.',
      owner: 'platform',
      runbookAnchor: 'bitcoin-node-unreachable',
      consolePage: { functionOf: 'confirmations' },
    },
    {
      ...GAUGE,
      name: 'bitcoinNodeBehind',
      measure: 'Age of the last Bitcoin block that was looked at',
      thresholds: { warning: BLOCK_AGE_MINUTES * 60 },
      metric: highestOf('confirmations', CONFIRMATIONS_METRICS.blockAgeSeconds),
      symptom: `The last Bitcoin block is more than ${BLOCK_AGE_MINUTES} minutes old: the node is behind, or alone`,
      action: "Compare the node's height with a public one; see whether it has peers, disk space and the right time.",
      owner: 'platform',
      runbookAnchor: 'bitcoin-node-behind',
      consolePage: { functionOf: 'confirmations' },
    },
    {
      ...ANY_WITHIN_AN_HOUR,
      name: 'bitcoinReorganisation',
      measure: 'Blocks that a reorganisation of Bitcoin took back',
      thresholds: { critical: reorganisationBlocks },
      metric: highestOf('confirmations', CONFIRMATIONS_METRICS.reorganisationDepth),
      symptom: `Bitcoin was reorganised by more than ${reorganisationBlocks} blocks; payments in them are not settled any more`,
      action: 'See what the log says was taken back; ask for more confirmations until the network agrees again.',
      owner: 'billing',
      runbookAnchor: 'bitcoin-reorganisation',
      consolePage: { functionOf: 'confirmations' },
    },
  ];
}

function runAlarms(): AlarmDefinition[] {
  const succeeded = countOf('confirmations', CONFIRMATIONS_METRICS.succeeded);
  const failed = countOf('confirmations', CONFIRMATIONS_METRICS.failed);
  return [
    {
      ...QUARTER_OF_AN_HOUR,
      name: 'confirmationsFailed',
      measure: 'Runs in 5 minutes that looked at payments in bitcoin and failed',
      unit: 'count',
      thresholds: { warning: 0 },
      comparisonOperator: 'GreaterThanThreshold',
      metric: failed,
      treatMissingData: 'notBreaching',
      symptom: 'Payments in bitcoin could not be brought up to date for 15 minutes',
      action: 'The log of the confirmations function says why: the secret, the node, its chain, or the database.',
      owner: 'platform',
      runbookAnchor: 'confirmations-failed',
      consolePage: { functionOf: 'confirmations' },
    },
    {
      ...QUARTER_OF_AN_HOUR,
      name: 'confirmationsMissing',
      measure: 'Runs in 5 minutes that looked at payments in bitcoin',
      unit: 'count',
      thresholds: { critical: 1 },
      comparisonOperator: 'LessThanThreshold',
      metric: sumOf('confirmationsMissing', [succeeded, failed]),
      treatMissingData: 'breaching',
      symptom: 'No run has looked at payments in bitcoin for 15 minutes; none is settled',
      action: 'Read the log of the confirmations function and invoke it by hand; see whether its schedule is enabled.',
      owner: 'platform',
      runbookAnchor: 'confirmations-missing',
      consolePage: { functionOf: 'confirmations' },
    },
  ];
}
