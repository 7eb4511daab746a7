import type { Client } from 'pg';
import type { ReconciliationReport, ReconciliationRequest } from '../../lambdas/reconciliation/contract';
import { duration } from '../runtime/console';
import { check } from './check';
import { readLedger, readSubscriptions } from './ledger';
import type { Step } from './steps';

/** Also looks at the last minutes, in which an ordinary run expects events that are still on their way. */
const HEAL_NOW: ReconciliationRequest = { dryRun: false, settleSeconds: 0 };

async function statusOf(billing: Client, id: string): Promise<string> {
  return (await readSubscriptions(billing)).find((row) => row.id === id)?.status ?? 'unknown';
}

/** Changes something at Stripe without a delivery, and has reconciliation find and correct it. */
export const heal: Step = {
  title: 'Drop an event, and let reconciliation heal it',
  skip: ({ platform }) =>
    platform.stripe === undefined
      ? 'the real Stripe is in use, which cannot be made to drop a delivery; unset STRIPE_SECRET_KEY to see this step'
      : undefined,
  async run({ platform, billing, stripe, scenario }, tell) {
    check(scenario !== undefined, 'no events were delivered');
    const { event } = stripe.cancelSubscription(scenario.healable);
    const before = await statusOf(billing, scenario.healable);
    check(before === 'active', `the subscription is ${before} before the healing, expected active`);
    check(!(await readLedger(billing)).has(event.id), 'the dropped event is in the ledger');
    tell(`before: canceled at Stripe, ${before} in the database, event not in the ledger`);

    const summary = (await platform.invoke('reconciliation', HEAL_NOW)) as ReconciliationReport;
    tell(
      `reconciliation: ${summary.eventsChecked} events checked, ${summary.eventsMissed} missed; ` +
        `${summary.subscriptions_checked} subscriptions and ${summary.purchases_checked} purchases compared, ` +
        `${summary.drift_detected} drifted; ${summary.corrected} corrected; ${duration(summary.durationMs)}`,
    );
    check(summary.status === 'complete', `the run is ${summary.status}`);
    check(summary.eventsMissed === 1, `${summary.eventsMissed} events were missed, expected 1`);

    const after = await statusOf(billing, scenario.healable);
    const row = (await readLedger(billing)).get(event.id);
    check(after === 'canceled', `the subscription is ${after} after the healing, expected canceled`);
    check(
      row?.status === 'processed' && row.source === 'reconciliation',
      `the dropped event is ${row === undefined ? 'not in the ledger' : `${row.status}, from ${row.source}`}`,
    );
    tell(`after:  ${after} in the database, event processed, source ${row.source}`);
  },
};
