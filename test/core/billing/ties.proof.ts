import { isDeepStrictEqual } from 'node:util';
import type { Client } from 'pg';
import { applyEvents } from '../../../core/billing/apply-events';
import type { ObjectState } from '../../../core/billing/object-state';
import { storeStates } from '../../../core/billing/store-states';
import { chooseNewest } from '../../../core/billing/ties';
import { inTransaction } from '../../../core/database/transaction';
import { effectsOf } from '../../../core/providers/stripe/event-effect';
import { accountState, customerState } from '../../../core/providers/stripe/party-states';
import { paymentIntentState } from '../../../core/providers/stripe/payment-states';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { invoiceState, subscriptionState } from '../../../core/providers/stripe/subscription-states';
import {
  account,
  customer,
  EPOCH,
  invoice,
  paymentIntent,
  stripeEvent,
  subscription,
  subscriptionItem,
} from '../../factories/stripe-objects';
import { batchesOf } from '../../simulation/deliveries';
import { previousAttributes } from '../../simulation/previous-attributes';
import { seededRandom, type Random } from '../../simulation/random';
import { delivered } from '../../support/billing';
import { createTestDatabase, type TestDatabase } from '../../support/database';

type Fields = Record<string, unknown>;

let database: TestDatabase;
let client: Client;
beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterEach(() => database.drop());

const rows = async (sql: string) => (await client.query(sql)).rows;
const apply = (...events: StripeEvent[]) => applyEvents(client, stripeProvider, delivered(events));
const refreshes = () =>
  rows('SELECT object_kind, object_id, reason, requests FROM billing.object_refreshes ORDER BY 2');

function updated(id: string, object: Fields, previous?: Fields, type = 'customer.subscription.updated'): StripeEvent {
  const event = stripeEvent(type, object, { id, created: EPOCH });
  return { ...event, data: { ...event.data, ...(previous ? { previous_attributes: previous } : {}) } };
}

/** Every order of the events, each in one batch and one by one. */
function everyDelivery(events: StripeEvent[]): [string, StripeEvent[][]][] {
  const orders = (rest: StripeEvent[]): StripeEvent[][] =>
    rest.length === 0 ? [[]] : rest.flatMap((one) => orders(rest.filter((e) => e !== one)).map((o) => [one, ...o]));
  return orders(events).flatMap((order): [string, StripeEvent[][]][] => {
    const name = order.map(({ id }) => id).join(', ');
    return [
      [`${name} at once`, [order]],
      [`${name} one by one`, order.map((event) => [event])],
    ];
  });
}

describe('events of one second end in the last state when they come as', () => {
  const pastDue = updated('evt_z_first', subscription({ status: 'past_due' }), { status: 'active' });
  const changedItem = {
    items: { object: 'list', data: [subscriptionItem({ quantity: 3 })], has_more: false },
    metadata: { note: 'x' },
  };
  const recovered = updated('evt_m_then', subscription({ status: 'active', default_payment_method: 'pm_2' }), {
    status: 'past_due',
    default_payment_method: null,
  });
  const more = updated('evt_a_last', subscription({ default_payment_method: 'pm_2', ...changedItem }), {
    items: { data: [subscriptionItem({ id: 'si_sub_1' })] },
    metadata: { note: null, app_id: 'academy', project_id: 'project_1', user_id: 'user_1' },
  });
  const reminder = updated(
    'evt_zz',
    subscription({ status: 'past_due' }),
    undefined,
    'customer.subscription.trial_will_end',
  );

  test.each(everyDelivery([pastDue, recovered, more, reminder]))('%s', async (_name, batches) => {
    for (const batch of batches) await apply(...batch);

    expect(await rows('SELECT status, raw FROM billing.subscriptions')).toEqual([
      { status: 'active', raw: more.data.object },
    ]);
    expect(await rows('SELECT id, quantity FROM billing.subscription_items')).toEqual([{ id: 'si_1', quantity: '3' }]);
    // One by one, the first and the last alone are undecided for a moment; what arrived together is not.
    expect(batches.length === 1 ? await refreshes() : []).toEqual([]);
  });
});

test('an event of one second that undoes another is undecided: the object has to be read again, once', async () => {
  await apply(updated('evt_b', subscription({ cancel_at_period_end: true }), { cancel_at_period_end: false }));
  await apply(updated('evt_a', subscription(), { cancel_at_period_end: true }));
  const undecided = { object_kind: 'subscription', object_id: 'sub_1', reason: 'undecided_tie' };
  expect(await refreshes()).toEqual([{ ...undecided, requests: 1 }]);

  await apply(updated('evt_c', subscription({ cancel_at_period_end: true }), { cancel_at_period_end: false }));
  // Cancelled, undone, cancelled: no other order of the three is possible.
  expect(await rows('SELECT cancel_at_period_end AS ends FROM billing.subscriptions')).toEqual([{ ends: true }]);
  expect(await refreshes()).toEqual([{ ...undecided, requests: 1 }]);
});

test('a tie with an event that the ledger no longer has is undecided', async () => {
  await apply(updated('evt_b', subscription({ status: 'past_due' })));
  await client.query('DELETE FROM billing.webhook_events');
  await apply(updated('evt_a', subscription(), { status: 'past_due' }));

  expect(await refreshes()).toMatchObject([{ object_id: 'sub_1' }]);
});

test('events of one second that leave the same object are decided', async () => {
  const paid = invoice({ status: 'paid', amount_paid: 2_900, amount_remaining: 0 });
  await apply(updated('evt_b', paid, undefined, 'invoice.paid'));
  await apply(updated('evt_a', paid, undefined, 'invoice.payment_succeeded'));

  expect(await refreshes()).toEqual([]);
});

test('an event that only informs never overwrites the state of an event of its second', async () => {
  const reminder = subscription({ status: 'unpaid' });
  await apply(updated('evt_a', subscription()));
  await apply(updated('evt_z', reminder, undefined, 'customer.subscription.trial_will_end'));

  expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'active' }]);
  expect(await refreshes()).toEqual([]);
});

test('a snapshot of the same second changes nothing, and takes part in no tie', async () => {
  await apply(updated('evt_a', subscription({ status: 'past_due' })));
  const state = subscriptionState(subscription(), { moment: EPOCH, eventId: '' });
  await inTransaction(client, (run) => storeStates(run, [state]));

  expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'past_due' }]);
});

describe('random histories', () => {
  const OBJECTS = 60;

  interface History {
    readonly events: StripeEvent[];
    readonly last: Fields;
    readonly read: (object: unknown) => ObjectState;
  }

  /** The event of each status that a payment intent reaches. */
  const INTENT_EVENTS: Record<string, string> = {
    requires_payment_method: 'payment_failed',
    requires_action: 'requires_action',
    processing: 'processing',
    requires_capture: 'amount_capturable_updated',
    succeeded: 'succeeded',
    canceled: 'canceled',
  };
  const END = ['requires_capture', 'succeeded', 'canceled'];
  const NEXT_OF_INTENT: Record<string, string[][]> = {
    requires_payment_method: [['requires_action'], ['processing'], END],
    requires_action: [['requires_payment_method'], ['processing'], END],
    processing: [['requires_payment_method'], ['requires_action'], END],
    requires_capture: [['succeeded', 'canceled']],
  };

  /** An object's life: several changes in most of its seconds, and ids that say nothing of their order. */
  function historyOf(index: number, random: Random): History {
    const id = () => `evt_${random.integer(0, 2 ** 31)}_${index}`;
    const [made, type, change, read] = lifeOf(index, random);
    let object = made;
    let second = EPOCH;
    const events: StripeEvent[] = [stripeEvent(`${type}.created`, object, { id: id(), created: second })];
    for (let step = random.integer(2, 12); step > 0; step -= 1) {
      if (random.chance(0.4)) second += random.integer(1, 3);
      const next = change(object);
      const previous = previousAttributes(object, next);
      object = next;
      if (type === 'payment_intent') {
        // Each change has a type of its own, and none says what was before. One that has ended changes no more.
        if (previous === undefined) break;
        const name = `${type}.${INTENT_EVENTS[String(object.status)]}`;
        events.push(stripeEvent(name, object, { id: id(), created: second }));
        if (random.chance(0.4)) break;
        continue;
      }
      const event = stripeEvent(`${type}.updated`, object, { id: id(), created: second });
      if (previous !== undefined) events.push({ ...event, data: { ...event.data, previous_attributes: previous } });
      if (type === 'customer.subscription' && random.chance(0.2)) {
        events.push(stripeEvent(`${type}.trial_will_end`, object, { id: id(), created: second }));
      }
    }
    const snapshot = { moment: second + 5, eventId: '' };
    return { events, last: object, read: (current) => read(current, snapshot) };
  }

  type Read = (object: unknown, origin: { moment: number; eventId: string }) => ObjectState;

  function lifeOf(index: number, random: Random): [Fields, string, (object: Fields) => Fields, Read] {
    const note = (object: Fields) => ({
      ...object,
      metadata: { ...(object.metadata as Fields), [random.pick(['a', 'b'])]: String(random.integer(0, 3)) },
    });
    const oneOf = (changes: ((object: Fields) => Fields)[]) => (object: Fields) =>
      random.pick([note, ...changes])(object);
    const flip = (field: string) => (object: Fields) => ({ ...object, [field]: !object[field] });
    const set = (field: string, values: unknown[]) => (object: Fields) => ({ ...object, [field]: random.pick(values) });
    const item = (fields: Fields) => ({ data: [subscriptionItem({ id: `si_${index}`, ...fields })] });
    switch (index % 5) {
      case 0:
        return [
          subscription({ id: `sub_${index}`, status: 'incomplete', items: item({}) }),
          'customer.subscription',
          oneOf([
            flip('cancel_at_period_end'),
            set('status', ['active', 'past_due', 'unpaid']),
            set('default_payment_method', ['pm_1', 'pm_2', 'pm_3']),
            (object) => ({ ...object, items: item({ quantity: random.integer(1, 5) }) }),
          ]),
          subscriptionState,
        ];
      case 1:
        return [
          customer({ id: `cus_${index}` }),
          'customer',
          oneOf([flip('delinquent'), set('email', ['a@x.test', 'b@x.test'])]),
          customerState,
        ];
      case 2:
        return [
          invoice({ id: `in_${index}`, status: 'draft' }),
          'invoice',
          oneOf([set('description', ['x', 'y']), set('amount_due', [1, 2, 3])]),
          invoiceState,
        ];
      case 3:
        return [
          paymentIntent({ id: `pi_${index}`, status: 'requires_payment_method' }),
          'payment_intent',
          (object) =>
            set('status', random.pick(NEXT_OF_INTENT[String(object.status)] ?? [[String(object.status)]]))(object),
          paymentIntentState,
        ];
      default:
        return [
          account({ id: `acct_${index}` }),
          'account',
          oneOf([flip('charges_enabled'), flip('payouts_enabled'), set('requirements', [{ past_due: ['x'] }, null])]),
          accountState,
        ];
    }
  }

  test('with several events of a second end as at the provider, in any order, batches and connections', async () => {
    const seed = Number(process.env['TIES_SEED'] ?? 12);
    const random = seededRandom(seed);
    const histories = Array.from({ length: OBJECTS }, (_, index) => historyOf(index, random));
    const clients = [client, await database.client()];

    const queue = batchesOf(
      random.shuffled(histories.flatMap(({ events }) => [...events, random.pick(events)])),
      40,
      random,
    );
    await Promise.all(
      clients.map(async (connection) => {
        for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
          await applyEvents(connection, stripeProvider, delivered(batch));
        }
      }),
    );

    const pending = new Set((await refreshes()).map(({ object_id: id }) => String(id)));
    const again = histories.filter(({ last }) => pending.has(String(last.id)));
    const before = await storedObjects();
    // As the refresh function does: the objects that nothing decides are read again.
    await inTransaction(client, (run) =>
      storeStates(
        run,
        again.map(({ last, read }) => read(last)),
      ),
    );
    const stored = await storedObjects();
    const wrong = histories
      .filter(({ last }) => !sameJson(stored.get(String(last.id)), last))
      .map(({ last }) => last.id);
    const silentlyWrong = histories
      .filter(({ last }) => !pending.has(String(last.id)) && !sameJson(before.get(String(last.id)), last))
      .map(({ last }) => last.id);
    expect({ seed, wrong, silentlyWrong }).toEqual({ seed, wrong: [], silentlyWrong: [] });
    expect({ seed, few: pending.size < OBJECTS / 3, pending: pending.size }).toMatchObject({ seed, few: true });
  }, 60_000);

  async function storedObjects(): Promise<Map<string, unknown>> {
    const found = await rows(`
      SELECT id, raw FROM billing.subscriptions UNION ALL SELECT id, raw FROM billing.customers
      UNION ALL SELECT id, raw FROM billing.invoices UNION ALL SELECT id, raw FROM billing.connect_accounts
      UNION ALL SELECT id, raw FROM billing.payment_intents`);
    return new Map(found.map(({ id, raw }) => [String(id), raw]));
  }

  function sameJson(a: unknown, b: unknown): boolean {
    return isDeepStrictEqual(a, JSON.parse(JSON.stringify(b)));
  }

  test('choose the same state whatever the order in which it is chosen from', () => {
    const random = seededRandom(7);
    for (let run = 0; run < 200; run += 1) {
      const states = historyOf(5 * run, random).events.flatMap((event) => effectsOf({ ...event, created: EPOCH }));
      const tied = states.filter(({ row }) => row.version > '0000000000000000:' && !row.version.endsWith(':'));
      const choices = [tied, tied.toReversed(), random.shuffled(tied)].map((order) => chooseNewest(order));
      expect(new Set(choices.map(({ state, decided }) => JSON.stringify([state, decided]))).size).toBe(1);
    }
  });
});

test('an intent of manual capture is authorised after it was made, in the same second', async () => {
  const made = paymentIntent({ status: 'requires_payment_method', amount_received: 0, latest_charge: null });
  const authorised = paymentIntent({ status: 'requires_capture', amount_received: 0 });
  await apply(updated('evt_a', authorised, undefined, 'payment_intent.amount_capturable_updated'));
  await apply(updated('evt_b', made, undefined, 'payment_intent.created'));

  expect(await rows('SELECT status FROM billing.payment_intents')).toEqual([{ status: 'requires_capture' }]);
  expect(await refreshes()).toEqual([]);
});
