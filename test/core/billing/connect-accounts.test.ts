import fc from 'fast-check';
import { queuedStripe } from '../../../core/providers/stripe/queued';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { account, authorization, capability, EPOCH, stripeEvent } from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';

const { apply, database, client, rows } = useBillingDatabase();

const updated = (seconds: number, fields: Record<string, unknown> = {}) =>
  stripeEvent('account.updated', account(fields), { created: EPOCH + seconds, account: 'acct_1' });
const deauthorized = (seconds: number) => authorization('deauthorized', { created: EPOCH + seconds });
const authorized = (seconds: number) => authorization('authorized', { created: EPOCH + seconds });
const changed = (seconds: number, status: string, fields: Record<string, unknown> = {}) =>
  stripeEvent('capability.updated', capability({ status, ...fields }), { created: EPOCH + seconds, account: 'acct_1' });

const standing = () => rows('SELECT restricted, restriction FROM billing.connect_accounts ORDER BY id');
const FREE = { restricted: false, restriction: null };
const RESTRICTED_BY_ITSELF = { restricted: true, restriction: null };
const DEAUTHORIZED = { restricted: true, restriction: 'deauthorized' };
const LOST_TRANSFERS = { restricted: true, restriction: 'capability:transfers' };

test.each<[story: string, events: StripeEvent[], outcome: object]>([
  ['that removed the platform is restricted', [updated(0), deauthorized(1)], DEAUTHORIZED],
  [
    'that removed the platform in the second of another change is restricted',
    [updated(0), deauthorized(0)],
    DEAUTHORIZED,
  ],
  ['that let the platform in again is free', [updated(0), deauthorized(1), authorized(2)], FREE],
  ['that changed after it let the platform in again is free', [updated(0), deauthorized(1), updated(9)], FREE],
  [
    'that was restricted when it let the platform in again still is',
    [updated(0, { payouts_enabled: false }), deauthorized(1), authorized(2)],
    RESTRICTED_BY_ITSELF,
  ],
  ['that lost the capability to be paid is restricted', [updated(0), changed(1, 'inactive')], LOST_TRANSFERS],
  ['that has the capability back is free', [updated(0), changed(1, 'inactive'), changed(2, 'active')], FREE],
  ['whose capability is being verified is free', [updated(0), changed(1, 'pending')], FREE],
  ['that lost a further way of paying is free', [updated(0), changed(1, 'inactive', { id: 'klarna_payments' })], FREE],
  [
    'whose newer object has the capability is free',
    [updated(0), changed(1, 'inactive'), updated(2, { capabilities: { transfers: 'active' } })],
    FREE,
  ],
  [
    'whose newer object lacks the capability is restricted',
    [updated(0), changed(1, 'inactive'), updated(2, { capabilities: { transfers: 'inactive' } })],
    RESTRICTED_BY_ITSELF,
  ],
])('an account %s, in any order of delivery', async (_story, events, outcome) => {
  const orders = fc.shuffledSubarray(events, { minLength: events.length });
  await fc.assert(
    fc.asyncProperty(orders, fc.boolean(), async (order, together) => {
      await client().query('TRUNCATE billing.webhook_events, billing.connect_accounts, billing.account_restrictions');
      if (together) await apply(...order);
      else for (const event of order) await apply(event);
      expect(await standing()).toEqual([outcome]);
    }),
    { numRuns: 12 },
  );
});

test('an account that is restricted by two transactions at a time is restricted', async () => {
  const { applyEvents } = await import('../../../core/billing/apply-events');
  const { stripeProvider } = await import('../../../core/providers/stripe/provider');
  const { delivered } = await import('../../support/billing');
  const other = await database().client();
  for (let round = 0; round < 20; round += 1) {
    const id = `acct_${round}`;
    const about = { account: id, created: EPOCH + 5 };
    await Promise.all([
      applyEvents(
        client(),
        stripeProvider,
        delivered([stripeEvent('account.updated', account({ id }), { account: id })]),
      ),
      applyEvents(other, stripeProvider, delivered([authorization('deauthorized', about)])),
    ]);
  }
  expect(await rows('SELECT id FROM billing.connect_accounts WHERE NOT restricted')).toEqual([]);
});

test('an account that is not known is created by none of its restrictions', async () => {
  await apply(deauthorized(1), changed(1, 'inactive'));
  expect(await standing()).toEqual([]);
});

test.each<[string, StripeEvent, number]>([
  ['lost a capability', changed(1, 'inactive'), 1],
  ['let the platform in', authorized(1), 1],
  ['removed the platform', deauthorized(1), 0],
])('an account that %s is read again where the event does not say how it is', async (_what, event, requests) => {
  await apply(updated(0, {}), event);
  expect(await rows('SELECT object_kind, object_id, reason FROM billing.object_refreshes')).toEqual(
    Array.from({ length: requests }, () => ({
      object_kind: 'account',
      object_id: 'acct_1',
      reason: 'account_changed',
    })),
  );
});

test('the ledger names the account that an application or a capability is about', async () => {
  await apply(deauthorized(1), changed(1, 'inactive'));
  expect(await rows('SELECT DISTINCT object_id FROM billing.webhook_events')).toEqual([{ object_id: 'acct_1' }]);
});

test('an authorization that names no account is parked with the field', async () => {
  const outcomes = await apply(authorization('deauthorized', { account: undefined }));
  expect([...outcomes.values()]).toMatchObject([
    { status: 'failed', error: expect.stringContaining('event.account: expected text') as string },
  ]);
});

test.each<[string, StripeEvent, boolean]>([
  ['that an account removed the platform', deauthorized(1), true],
  ['that an account let the platform in', authorized(1), false],
  ['that a needed capability was lost', changed(1, 'inactive'), true],
  ['that another capability was lost', changed(1, 'inactive', { id: 'klarna_payments' }), false],
  ['that an account may not take payments', updated(1, { charges_enabled: false }), true],
])('an event %s is counted among the restricted accounts if the account is not paid', (_what, event, counts) => {
  expect(queuedStripe.signalsOf(event, null).restrictedAccount).toBe(counts);
});
