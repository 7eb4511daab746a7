import { COLLECTOR_METRICS } from '../../../lambdas/collector/contract';
import type { AlarmDefinition } from './alarm-definition';
import { highestOf } from './alarm-metric';

const DAY_SECONDS = 24 * 60 * 60;

/** Minutes that an object may wait to be read again. Runs are a minute apart; fewer page for one failed attempt. */
const REFRESH_LIMIT_MINUTES = 15;

/** A gauge of the collector, which has an alarm of its own for not running. */
const GAUGE = { periodSeconds: 300, evaluationPeriods: 3, treatMissingData: 'notBreaching' } as const;

/** The alarms on what money and access depend on and only a person, or Stripe, can put right. */
export function accessAlarms(): AlarmDefinition[] {
  return [refreshOverdue(), disputeDue(), earlyFraudWarnings(), payoutsFailed(), payoutLate(), unownedPurchases()];
}

function refreshOverdue(): AlarmDefinition {
  return {
    ...GAUGE,
    name: 'refreshOverdue',
    measure: 'Wait of the oldest object to be read from Stripe again',
    unit: 's',
    thresholds: { warning: REFRESH_LIMIT_MINUTES * 60 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: highestOf('collector', COLLECTOR_METRICS.refreshAgeSeconds),
    symptom: `An object has waited more than ${REFRESH_LIMIT_MINUTES} minutes to be read from Stripe again; what it grants may be wrong`,
    action: "Read the log of the refresh function: Stripe's status, a permission of the key, or one object that fails.",
    owner: 'billing',
    runbookAnchor: 'refresh-overdue',
    consolePage: { functionOf: 'refresh' },
  };
}

function disputeDue(): AlarmDefinition {
  return {
    ...GAUGE,
    name: 'disputeDue',
    measure: 'Time until the evidence for a dispute is due',
    unit: 's',
    // Evidence takes a working day to gather: over a weekend, and at the last moment.
    thresholds: { warning: 4 * DAY_SECONDS, critical: DAY_SECONDS },
    comparisonOperator: 'LessThanThreshold',
    metric: highestOf('collector', COLLECTOR_METRICS.disputeDueSeconds),
    symptom: 'A dispute awaits a response: without evidence in time, the bank keeps the money',
    action: "Submit evidence in Stripe's dashboard, or accept the dispute there.",
    owner: 'billing',
    runbookAnchor: 'dispute-due',
    consolePage: 'alarm',
  };
}

function earlyFraudWarnings(): AlarmDefinition {
  return {
    ...GAUGE,
    name: 'earlyFraudWarnings',
    measure: 'Charges with an early fraud warning',
    unit: 'count',
    thresholds: { warning: 0 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: highestOf('collector', COLLECTOR_METRICS.fraudWarnings),
    symptom: 'A bank suspects that a charge is fraudulent; most of these become disputes within weeks',
    action: 'Refund the charge before it is disputed, unless the customer is known to be genuine.',
    owner: 'billing',
    runbookAnchor: 'early-fraud-warning',
    consolePage: 'alarm',
  };
}

function payoutsFailed(): AlarmDefinition {
  return {
    ...GAUGE,
    name: 'payoutsFailed',
    measure: 'Failed payouts that no later payout replaced',
    unit: 'count',
    thresholds: { warning: 0 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: highestOf('collector', COLLECTOR_METRICS.payoutsFailed),
    symptom: "A coach was not paid: the bank returned a payout, and the money waits in the account's balance",
    action:
      'See the reason with `ops payouts list --status failed`; once the account is put right, `ops payouts retry`.',
    owner: 'billing',
    runbookAnchor: 'payout-failed',
    consolePage: 'alarm',
  };
}

function payoutLate(): AlarmDefinition {
  return {
    ...GAUGE,
    name: 'payoutLate',
    measure: 'Time since a payout under way should have arrived',
    unit: 's',
    // Stripe gives a day, as its first moment in UTC: a payout of that day is on time until the banks have closed.
    thresholds: { warning: 2 * DAY_SECONDS },
    comparisonOperator: 'GreaterThanThreshold',
    metric: highestOf('collector', COLLECTOR_METRICS.payoutLatenessSeconds),
    symptom: 'A payout is under way past its arrival date: the bank is late, or an event about it was missed',
    action: 'Compare it with Stripe: `ops refresh --object po_…`; if it still is under way, ask Stripe.',
    owner: 'billing',
    runbookAnchor: 'payout-late',
    consolePage: 'alarm',
  };
}

function unownedPurchases(): AlarmDefinition {
  return {
    ...GAUGE,
    name: 'unownedPurchases',
    measure: 'Paid subscriptions and purchases without a user',
    unit: 'count',
    thresholds: { warning: 0 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: highestOf('collector', COLLECTOR_METRICS.unowned),
    symptom: 'A customer paid and gets nothing: no metadata of the purchase, its session or its customer names a user',
    action: 'The log of the collector names the objects; assign them, and make the app write `user_id`.',
    owner: 'billing',
    runbookAnchor: 'unowned-purchases',
    consolePage: { functionOf: 'collector' },
  };
}
