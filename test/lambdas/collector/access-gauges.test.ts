import {
  actionableFraudWarnings,
  countUnserved,
  latePayoutSeconds,
  nextDisputeDueSeconds,
  oldestRefreshSeconds,
  openPayoutFailures,
} from '../../../lambdas/collector/access-gauges';
import type { Log } from '../../../core/runtime/telemetry';
import {
  checkoutSession,
  dispute,
  earlyFraudWarning,
  EPOCH,
  payout,
  stripeEvent,
  subscription,
} from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';
import { putRules, RULES } from '../../support/entitlements';
import { silentLog } from '../../support/log';

const { apply, client } = useBillingDatabase();
const NOW = new Date(EPOCH * 1000);
const HOUR = 3_600;

describe('the due date of disputes', () => {
  const due = (id: string, hours: number, status = 'needs_response') =>
    stripeEvent('charge.dispute.created', dispute({ id, status, evidence_details: { due_by: EPOCH + hours * HOUR } }));

  test('is that of the one that has to be answered next', async () => {
    await apply(due('dp_1', 200), due('dp_2', 30), due('dp_3', 40, 'warning_needs_response'));
    expect(await nextDisputeDueSeconds(client(), NOW)).toBe(30 * HOUR);
    await apply(due('dp_4', 20, 'appeal_needs_response'));
    expect(await nextDisputeDueSeconds(client(), NOW)).toBe(20 * HOUR);
  });

  test.each(['under_review', 'appeal_under_review', 'won', 'lost', 'warning_closed'])(
    'leaves out a dispute that is %s',
    async (status) => {
      await apply(due('dp_1', 30, status));
      expect(await nextDisputeDueSeconds(client(), NOW)).toBeUndefined();
    },
  );

  test('is negative once it has passed', async () => {
    await apply(due('dp_1', -2));
    expect(await nextDisputeDueSeconds(client(), NOW)).toBe(-2 * HOUR);
  });
});

test('an early fraud warning counts until its charge is refunded or disputed', async () => {
  const warning = (fields: Record<string, unknown>, created = EPOCH) =>
    stripeEvent('radar.early_fraud_warning.updated', earlyFraudWarning(fields), { created });
  await apply(warning({ id: 'issfr_1' }), warning({ id: 'issfr_2' }));
  expect(await actionableFraudWarnings(client())).toBe(2);
  await apply(warning({ id: 'issfr_1', actionable: false }, EPOCH + 60));
  expect(await actionableFraudWarnings(client())).toBe(1);
});

describe('payouts', () => {
  const told = (type: string, fields: Record<string, unknown>, account = 'acct_1') =>
    stripeEvent(`payout.${type}`, payout({ ...fields, status: type === 'created' ? 'pending' : type }), { account });

  test('that failed count until a later one of the account and currency is under way, or one repeats it', async () => {
    await apply(
      told('failed', { id: 'po_1' }),
      told('failed', { id: 'po_2', currency: 'usd' }),
      told('failed', { id: 'po_3' }, 'acct_2'),
    );
    expect(await openPayoutFailures(client())).toBe(3);
    await apply(told('created', { id: 'po_4', created: EPOCH + 60 }));
    expect(await openPayoutFailures(client())).toBe(2);
    // The repeated one failed as well: it counts, and the first does not any more.
    await apply(told('failed', { id: 'po_5', created: EPOCH + 90, metadata: { billing_retry_of: 'po_3' } }, 'acct_2'));
    expect(await openPayoutFailures(client())).toBe(2);
  });

  test('that are under way are late from their arrival date on', async () => {
    await apply(
      told('created', { id: 'po_1', arrival_date: EPOCH - HOUR }),
      told('paid', { id: 'po_2', arrival_date: 0 }, 'acct_2'),
    );
    expect(await latePayoutSeconds(client(), NOW)).toBe(HOUR);
    expect(await latePayoutSeconds(client(), new Date((EPOCH - 2 * HOUR) * 1000))).toBe(0);
  });
});

describe('what was paid and belongs to nobody', () => {
  function recordingLog(): { readonly log: Log; readonly warnings: [string, unknown][] } {
    const warnings: [string, unknown][] = [];
    return { warnings, log: { ...silentLog, warn: (message, details) => warnings.push([message, details]) } };
  }

  test('is counted, and named in the log, where a rule would grant something', async () => {
    await putRules(client(), RULES);
    await apply(
      stripeEvent('customer.subscription.created', subscription({ metadata: {} })),
      stripeEvent('checkout.session.completed', checkoutSession({ metadata: { kind: 'course', item_id: 'course_1' } })),
      stripeEvent('checkout.session.completed', checkoutSession({ id: 'cs_2', metadata: { kind: 'coaching' } })),
      stripeEvent('customer.subscription.created', subscription({ id: 'sub_2' })),
    );
    const { log, warnings } = recordingLog();

    expect(await countUnserved(client(), log)).toBe(2);
    expect(warnings).toEqual([
      ['Subscriptions or purchases were paid for and belong to no user', { count: 2, ids: ['cs_1', 'sub_1'] }],
    ]);
  });

  test('is not logged when there is none', async () => {
    const { log, warnings } = recordingLog();
    expect(await countUnserved(client(), log)).toBe(0);
    expect(warnings).toEqual([]);
  });
});

test('the age of refreshes is that of the oldest that is not done', async () => {
  const insert = (id: string, minutesAgo: number, done: boolean) =>
    client().query(
      `INSERT INTO billing.object_refreshes (provider, object_kind, object_id, reason, requested_at, done_at)
       VALUES ('stripe', 'subscription', $1, 'test', $2::timestamptz - make_interval(mins => $3),
         CASE WHEN $4 THEN now() END)`,
      [id, NOW, minutesAgo, done],
    );
  expect(await oldestRefreshSeconds(client(), NOW)).toBe(0);
  await insert('sub_done', 90, true);
  await insert('sub_old', 30, false);
  await insert('sub_new', 1, false);
  expect(await oldestRefreshSeconds(client(), NOW)).toBe(30 * 60);
});
