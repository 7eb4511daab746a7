import type { Client } from 'pg';
import * as fc from 'fast-check';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { plantTombstones, sweepBilling } from '../../../core/erasure/billing';
import type { LedgerEntry } from '../../../core/erasure/ledger';
import { replayErasures } from '../../../core/erasure/replay';
import { findPerson, PERSONAL_ROWS, personalParameters, personalRows } from '../../../lambdas/erasure/person';
import { charge, customer, EPOCH, paymentIntent, stripeEvent } from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { delivered } from '../../support/billing';
import { applyEvents } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { ERASURE_KEY } from '../../support/erasures';

let database: TestDatabase;
let client: Client;
beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  // As of the function.
  await client.query('SET jit = off');
});
afterAll(() => database.drop());

const SEED = 21;
const RUNS = 15;
const EMPTY = `TRUNCATE billing.webhook_events, billing.customers, billing.charges, billing.payment_intents,
  billing.erasures, billing.erased_subjects, billing.erased_objects CASCADE`;
/** How a card came to a customer, and where to. Each name is a person's. */
const CARDS = ['never', 'attached', 'detached', 'set up', 'moved', 'given back'] as const;
const USES = ['mandate', 'setup', 'intent', 'charge', 'review'] as const;
const NAMES = ['ann', 'bob', 'cem'] as const;
type Name = (typeof NAMES)[number];
interface Card {
  readonly owner: Name;
  readonly next: Name;
  readonly how: (typeof CARDS)[number];
  /** Whether the events about the card itself say something of a person. */
  readonly says: boolean;
  readonly uses: readonly (typeof USES)[number][];
}

const card: fc.Arbitrary<Card> = fc.record({
  owner: fc.constantFrom(...NAMES),
  next: fc.constantFrom(...NAMES),
  how: fc.constantFrom(...CARDS),
  says: fc.boolean(),
  uses: fc.subarray([...USES], { minLength: 1 }),
});
const histories = fc.record({
  cards: fc.array(card, { minLength: 3, maxLength: 6 }),
  order: fc.infiniteStream(fc.nat()),
  erased: fc.shuffledSubarray([...NAMES], { minLength: 1, maxLength: 2 }),
  late: fc.boolean(),
});

interface Told {
  readonly event: StripeEvent;
  /** Customers whose it is: of an event that names a card alone, everybody who ever had the card. */
  readonly of: readonly string[];
  /** Whether it names a card alone that changes hands: whose it is depends on what is known by then. */
  readonly depends: boolean;
}

/** What is told of one card: whose it is, and what names nothing but the card. */
function told(run: string, { owner, next, how, says, uses }: Card, index: number): Told[] {
  const id = (object: string) => `${object}_${run}_${index}`;
  const cus = (name: Name) => `cus_${run}_${name}`;
  const note = `note-${run}`;
  const moves = ['moved', 'given back'].includes(how) && next !== owner;
  const of = how === 'never' ? [] : moves ? [cus(owner), cus(next)] : [cus(owner)];
  const about = (type: string, holder: Name, customerId: string | null, former: object = {}): Told => ({
    event: stripeEvent(
      type,
      { id: id('pm'), object: 'payment_method', customer: customerId, created: EPOCH },
      { data: { previous_attributes: { ...(says ? { note } : {}), ...former } } },
    ),
    of: [cus(holder)],
    depends: false,
  });
  const attached = (to: Name) => about('payment_method.attached', to, cus(to));
  const detached = (from: Name) => about('payment_method.detached', from, null, { customer: cus(from) });
  const other = (object: string, fields: object = {}) => ({
    id: id(object),
    object,
    created: EPOCH,
    note,
    payment_method: id('pm'),
    ...fields,
  });
  const setUp = other('setup_intent', { id: id('seti_customer'), customer: cus(owner) });
  const lives: Record<Card['how'], Told[]> = {
    never: [],
    attached: [attached(owner)],
    detached: [attached(owner), detached(owner)],
    'set up': [{ event: stripeEvent('setup_intent.succeeded', setUp), of, depends: false }],
    moved: [attached(owner), detached(owner), attached(next)],
    'given back': [detached(owner), attached(next)],
  };
  const payment = { customer: null, metadata: {}, payment_method: id('pm'), description: note };
  const used: Record<Card['uses'][number], () => StripeEvent> = {
    mandate: () => stripeEvent('mandate.updated', other('mandate')),
    setup: () => stripeEvent('setup_intent.setup_failed', other('setup_intent', { customer: null })),
    intent: () =>
      stripeEvent('payment_intent.created', paymentIntent({ id: id('pi'), ...payment, latest_charge: null })),
    charge: () => stripeEvent('charge.succeeded', charge({ id: id('ch'), ...payment, payment_intent: null })),
    // Of the charge, by which it leads to the card.
    review: () => stripeEvent('review.opened', other('review', { payment_method: null, charge: id('ch') })),
  };
  const named = uses.includes('charge') ? uses : uses.filter((use) => use !== 'review');
  return [...lives[how], ...named.map((use) => ({ event: used[use](), of, depends: moves }))];
}

async function storedRows(): Promise<Map<string, string>> {
  const stored = new Map<string, string>();
  for (const { table, order } of PERSONAL_ROWS) {
    const { rows } = await client.query<{ key: string; row: string }>(
      `SELECT concat_ws(' ', ${order}) AS key, row::text AS row FROM ${table} AS row`,
    );
    for (const { key, row } of rows) stored.set(`${table} ${key}`, row);
  }
  return stored;
}

function entryOf(id: string, customerId: string): LedgerEntry {
  const subjects = [ERASURE_KEY.subject('customer', customerId)];
  return { format: 'billing-operations-erasure', version: 1, id, erasedAt: '2026-11-29T12:00:00.000Z', subjects };
}

/** Keys of the rows that an export of the customer has. */
async function exported(id: string): Promise<Set<string>> {
  const person = await findPerson(client, { customer: id }, { isInMain: async () => false });
  const parameters = [...(await personalParameters(client, person))];
  const found = new Set<string>();
  for (const personal of PERSONAL_ROWS) {
    const { rows } = await client.query<{ key: string }>(
      `SELECT concat_ws(' ', ${personal.order}) AS key ${personalRows(personal)}`,
      parameters,
    );
    for (const { key } of rows) found.add(`${personal.table} ${key}`);
  }
  return found;
}

test('an erasure reduces what an export has, and later events of the same cards, whoever had which card when', async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(histories, async ({ cards, order, erased, late }) => {
      const run = `r${(runs += 1)}`;
      const cus = (name: Name) => `cus_${run}_${name}`;
      const apply = (events: readonly StripeEvent[]) => applyEvents(client, stripeProvider, delivered(events));
      await client.query(EMPTY);
      const all = cards.flatMap((each, index) => told(run, each, index));
      const mixed = all
        .map((each) => ({ each, key: order.next().value as number }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ each }) => each);
      const later = mixed.filter((_, index) => late && index % 2 === 0);
      const sooner = mixed.filter((each) => !later.includes(each));
      const people = NAMES.map((name) =>
        stripeEvent('customer.created', customer({ id: cus(name), email: null, name: `person-${run}`, metadata: {} })),
      );
      await apply([...people, ...sooner.map(({ event }) => event)]);

      const entries: LedgerEntry[] = [];
      for (const name of erased) {
        const found = await exported(cus(name));
        const before = await storedRows();
        entries.push(entryOf(`${run}-${name}`, cus(name)));
        await plantTombstones(client, { key: ERASURE_KEY, entries });
        await sweepBilling(client);
        const after = await storedRows();
        const reduced = [...before].flatMap(([key, row]) => (after.get(key) === row ? [] : [key]));
        const personal = [...found].filter((key) => /(note|person)-/.test(before.get(key) ?? ''));
        expect(reduced.toSorted()).toEqual(personal.toSorted());
      }

      await apply(later.map(({ event }) => event));
      await replayErasures(client, 'billing', { key: ERASURE_KEY, entries }, []);
      const ids = erased.map(cus);
      const isErased = ({ of }: Told) => of.length > 0 && of.every((id) => ids.includes(id));
      const { rows } = await client.query<{ id: string }>(
        `SELECT id FROM billing.webhook_events WHERE strpos(payload::text, 'note-') > 0`,
      );
      const kept = new Set(rows.map(({ id }) => id));
      const sure = all.filter(({ depends, event }) => !(late && depends) && JSON.stringify(event).includes('note-'));
      const wrong = sure.filter((each) => kept.has(each.event.id) === isErased(each));
      expect(wrong).toEqual([]);
    }),
    { seed: SEED, numRuns: RUNS },
  );
}, 120_000);
