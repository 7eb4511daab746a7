import type { EntitlementRule } from '../../core/entitlements/contract';
import { cancel } from './billing';
import type { Account, Charge, Customer, Metadata, PauseBehavior, Price, Subscription } from './objects';
import { capture, dispute, failRefund, refund, sell, warnOfFraud } from './payments';
import { DAY, type StripeState } from './state';
import {
  addItem,
  addItems,
  cancelAtPeriodEnd,
  changeAndRemove,
  changePrice,
  changeQuantity,
  pause,
  removeItem,
  renameMetadata,
  resume,
  schedulePrice,
  subscribe,
  swapFirstItem,
} from './subscriptions';

const price = (name: string, interval: 'month' | 'year', unit_amount: number): Price => ({
  id: `price_${name}_${interval}`,
  product: `prod_${name}`,
  unit_amount,
  currency: 'usd',
  recurring: { interval },
});

const PRICES = {
  month: { basic: price('basic', 'month', 900), pro: price('pro', 'month', 2900), extra: price('extra', 'month', 500) },
  year: { basic: price('basic', 'year', 9000), pro: price('pro', 'year', 29000), extra: price('extra', 'year', 5000) },
} as const;

/** Seats of a team, each with a price of its own: more items than an event or a list carries. */
const SEATS = Array.from({ length: 12 }, (_, seat) => seat + 1);
const SEAT_PRICES = {
  month: SEATS.map((seat) => price(`seat_${seat}`, 'month', 100)),
  year: SEATS.map((seat) => price(`seat_${seat}`, 'year', 1000)),
} as const;

/** The rules that the simulated company sells by: one of each kind of setting. */
export const SIMULATED_RULES: readonly EntitlementRule[] = [
  { id: 'basic-month', grants: { source: 'subscription', priceId: 'price_basic_month' }, features: ['basic'] },
  { id: 'basic-year', grants: { source: 'subscription', priceId: 'price_basic_year' }, features: ['basic'] },
  {
    id: 'pro-month',
    grants: {
      source: 'subscription',
      priceId: 'price_pro_month',
      graceDays: { chargeAutomatically: 3, sendInvoice: 14 },
    },
    features: ['basic', 'pro'],
  },
  {
    id: 'pro-year',
    grants: { source: 'subscription', priceId: 'price_pro_year', graceDays: 0, whilePaused: 'granted' },
    features: ['basic', 'pro'],
  },
  {
    id: 'extra-month',
    grants: { source: 'subscription', priceId: 'price_extra_month', onDispute: 'at_once' },
    features: ['extra'],
  },
  {
    id: 'extra-year',
    grants: { source: 'subscription', priceId: 'price_extra_year', onDispute: 'never' },
    features: ['extra'],
  },
  { id: 'seat', grants: { source: 'subscription', priceId: 'price_seat_11_month' }, features: ['seat_11'] },
  { id: 'last-seat', grants: { source: 'subscription', priceId: 'price_seat_12_month' }, features: ['seat_12'] },
  { id: 'course', grants: { source: 'purchase', kind: 'course' }, features: ['course:{item_id}'] },
  { id: 'path', grants: { source: 'purchase', kind: 'path', onDispute: 'never' }, features: ['path:{item_id}'] },
  {
    id: 'coaching',
    grants: { source: 'purchase', kind: 'coaching', onDispute: 'at_once' },
    features: ['coaching'],
  },
];

/** Where an application says whose a purchase is. */
const OWNER_STYLES = ['object', 'session', 'reference', 'customer'] as const;

/** Some customers are a developer's, on a test clock. */
export const TEST_CLOCK = 'clock_simulated';

interface Person {
  readonly customer: Customer;
  readonly userId: string;
  readonly projectId: string;
  readonly style: (typeof OWNER_STYLES)[number];
}

/** Makes customers, and lets each live at random from then on: they subscribe, change, pause, stop paying, buy, dispute. */
export function populate(stripe: StripeState, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const arrival = stripe.now + stripe.random.integer(0, 300 * DAY);
    stripe.agenda.schedule(arrival, () => arrive(stripe, index));
  }
  for (let index = 0; index < ACCOUNTS; index += 1) connect(stripe, index);
}

/** Accounts that are paid out to. */
const ACCOUNTS = 5;

/** An account that owes Stripe a document from time to time. */
function connect(stripe: StripeState, index: number): void {
  const account: Account = {
    id: stripe.log.id('acct'),
    object: 'account',
    created: stripe.now,
    metadata: { user_id: `coach_${index}` },
    charges_enabled: true,
    payouts_enabled: true,
    details_submitted: true,
    requirements: { currently_due: [], past_due: [], disabled_reason: null },
  };
  stripe.accounts.set(account.id, account);
  const demand = (): void => {
    const restricted = account.payouts_enabled;
    stripe.log.change('account.updated', account, {
      payouts_enabled: !restricted,
      requirements: {
        currently_due: restricted ? ['individual.verification.document'] : [],
        past_due: [],
        disabled_reason: restricted ? 'requirements.past_due' : null,
      },
    });
    stripe.agenda.schedule(stripe.now + stripe.random.integer(10 * DAY, 90 * DAY), demand);
  };
  demand();
}

function arrive(stripe: StripeState, index: number): void {
  const { random, log } = stripe;
  const style = random.pick(OWNER_STYLES);
  const owner = { user_id: `user_${index}`, project_id: `project_${index % 3}` };
  const customer: Customer = {
    id: log.id('cus'),
    object: 'customer',
    email: `${index}@example.com`,
    created: stripe.now,
    test_clock: random.chance(0.03) ? TEST_CLOCK : null,
    metadata: style === 'customer' ? owner : {},
  };
  stripe.customers.set(customer.id, customer);
  stripe.wallets.set(customer.id, {
    good: random.chance(0.95),
    afterRetries: random.pick(['cancel', 'unpaid', 'leave']),
  });
  log.emit('customer.created', customer);
  live(stripe, { customer, userId: owner.user_id, projectId: owner.project_id, style });
}

/** One thing now, the next some days later. */
function live(stripe: StripeState, person: Person): void {
  const { random, agenda } = stripe;
  act(stripe, person);
  agenda.schedule(stripe.now + random.integer(5 * DAY, 60 * DAY), () => live(stripe, person));
}

function act(stripe: StripeState, person: Person): void {
  const { random } = stripe;
  const wallet = stripe.walletOf(person.customer.id);
  if (random.chance(0.25)) wallet.good = random.chance(0.8);
  const [subscription] = stripe
    .subscriptionsOf(person.customer.id)
    .filter(({ status }) => !['canceled', 'incomplete_expired'].includes(status));
  if (random.chance(0.15)) buy(stripe, person);
  else if (subscription === undefined) signUp(stripe, person);
  else if (['active', 'trialing', 'past_due'].includes(subscription.status)) {
    change(stripe, subscription);
    // Two changes in one second, such as an application that sets a quantity and the metadata in two calls.
    if (random.chance(0.3) && subscription.status !== 'canceled') change(stripe, subscription);
  }
  if (random.chance(0.04)) disputeSomething(stripe, person);
}

function signUp(stripe: StripeState, person: Person): void {
  const { random } = stripe;
  const plans = PRICES[random.pick(['month', 'month', 'year'] as const)];
  const checkout = person.style === 'session' || person.style === 'reference';
  subscribe(stripe, {
    customer: person.customer.id,
    testClock: person.customer.test_clock,
    price: random.pick([plans.basic, plans.pro]),
    collectionMethod: random.chance(0.15) ? 'send_invoice' : 'charge_automatically',
    metadata: person.style === 'object' ? ownerMetadata(person) : {},
    ...(random.chance(0.2) ? { trialDays: 14 } : {}),
    ...(checkout ? { checkout: { metadata: sessionMetadata(person), clientReferenceId: referenceOf(person) } } : {}),
  });
}

function change(stripe: StripeState, subscription: Subscription): void {
  const { random } = stripe;
  const { interval } = subscription.items.data[0]!.price.recurring;
  const plans = PRICES[interval];
  const isPlain = subscription.status === 'active' && subscription.pause_collection === null;
  const first = subscription.items.data[0]!;
  const other = first.price.id === plans.pro.id ? plans.basic : plans.pro;
  const actions: (() => void)[] = [
    () => renameMetadata(stripe, subscription, String(random.integer(0, 9))),
    () => cancelAtPeriodEnd(stripe, subscription, !subscription.cancel_at_period_end),
    () => cancel(stripe, subscription),
    () => resume(stripe, subscription),
  ];
  if (isPlain) {
    const behaviors: PauseBehavior[] = ['void', 'keep_as_draft', 'mark_uncollectible'];
    actions.push(
      () => changePrice(stripe, subscription, other),
      () => swapFirstItem(stripe, subscription, other),
      () => changeQuantity(stripe, subscription, first.quantity === 1 ? random.integer(0, 3) : 1),
      () => pause(stripe, subscription, random.pick(behaviors)),
      () => schedulePrice(stripe, subscription, other),
      subscription.items.data.length === 1
        ? () => {
            if (random.chance(0.1)) addItems(stripe, subscription, SEAT_PRICES[interval]);
            else addItem(stripe, subscription, plans.extra);
          }
        : () => {
            if (random.chance(0.5)) removeItem(stripe, subscription);
            else changeAndRemove(stripe, subscription, other);
          },
    );
  }
  random.pick(actions)();
}

function buy(stripe: StripeState, person: Person): void {
  const { random, agenda } = stripe;
  const captureMethod = random.chance(0.2) ? 'manual' : 'automatic';
  const session = sell(stripe, {
    customer: person.customer.id,
    amount: random.integer(10, 500) * 100,
    metadata: {
      kind: random.pick(['course', 'path', 'coaching']),
      item_id: `item_${random.integer(1, 20)}`,
      ...(person.style === 'reference' || person.style === 'customer' ? {} : ownerMetadata(person)),
    },
    clientReferenceId: referenceOf(person),
    capture: captureMethod,
  });
  const charge = chargeOf(stripe, session.payment_intent);
  if (charge === undefined) return;
  if (captureMethod === 'manual' && random.chance(0.8)) {
    const amount = random.chance(0.5) ? charge.amount : Math.round(charge.amount / 2);
    agenda.schedule(stripe.now + 2 * DAY, () => capture(stripe, charge, amount));
  }
  if (random.chance(0.3)) agenda.schedule(stripe.now + random.integer(3, 40) * DAY, () => giveBack(stripe, charge));
}

function giveBack(stripe: StripeState, charge: Charge): void {
  const { random, agenda } = stripe;
  const amount = random.chance(0.6) ? charge.amount : Math.round(charge.amount / 3);
  const made = refund(stripe, charge, amount, random.chance(0.7));
  if (made && random.chance(0.3)) {
    agenda.schedule(stripe.now + random.integer(1, 20) * DAY, () => failRefund(stripe, made, charge));
  }
}

function disputeSomething(stripe: StripeState, person: Person): void {
  const charges = [...stripe.charges.values()].filter(({ customer }) => customer === person.customer.id);
  if (charges.length === 0) return;
  const charge = stripe.random.pick(charges);
  if (stripe.random.chance(0.3)) warnOfFraud(stripe, charge);
  dispute(stripe, charge);
}

function chargeOf(stripe: StripeState, intent: string | null): Charge | undefined {
  const latest = intent === null ? undefined : stripe.intents.get(intent)?.latest_charge;
  return latest === null || latest === undefined ? undefined : stripe.charges.get(latest);
}

function ownerMetadata({ userId, projectId }: Person): Metadata {
  return { user_id: userId, project_id: projectId };
}

function sessionMetadata(person: Person): Metadata {
  return person.style === 'session' ? ownerMetadata(person) : {};
}

function referenceOf({ style, userId }: Person): string | null {
  return style === 'reference' ? userId : null;
}
