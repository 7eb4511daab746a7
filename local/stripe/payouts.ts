import type Stripe from 'stripe';
import { Collection } from './collection';
import { LIST_PARAMETERS, pageOf, Parameters, StripeRefusal } from './listing';
import { eventObject, newId, nowSeconds } from './objects';

const DAY_SECONDS = 86_400;
export const PAYOUTS_PATH = '/v1/payouts';

/** A request for payouts, of the account that it names. */
export interface PayoutRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: URLSearchParams;
  /** Header `Stripe-Account`. @default the platform's own account */
  readonly account?: string | undefined;
  /** Header `Idempotency-Key`. */
  readonly idempotencyKey?: string | undefined;
}

/** The payouts of all accounts; a request sees those of one. Answers under an idempotency key are kept, refusals too. */
export class Payouts {
  private readonly byAccount = new Map<string, Collection<Stripe.Payout>>();
  private readonly balances = new Map<string, number>();
  private readonly answers = new Map<string, object | StripeRefusal>();

  /** Puts money into an account's balance, in the smallest unit of its only currency. */
  credit(account: string, amount: number): void {
    this.balances.set(account, (this.balances.get(account) ?? 0) + amount);
  }

  /** Stripe forgets idempotency keys, 24 hours after their first use at the earliest. */
  forgetKeys(): void {
    this.answers.clear();
  }

  of(account: string): Collection<Stripe.Payout> {
    const known = this.byAccount.get(account) ?? new Collection<Stripe.Payout>();
    this.byAccount.set(account, known);
    return known;
  }

  /** Pays an account out; returns the payout and the event about it. */
  create(account: string, overrides: Partial<Stripe.Payout> = {}) {
    const payout = this.of(account).put(payoutObject(overrides));
    return { object: payout, event: eventOf('payout.created', payout, account, payout.created) };
  }

  /** A payout that is pending is canceled at Stripe: its amount is in the balance again. */
  cancel(account: string, id: string) {
    const payout = this.of(account).put({ ...this.of(account).require(id), status: 'canceled' });
    this.credit(account, payout.amount);
    return { object: payout, event: eventOf('payout.canceled', payout, account, nowSeconds()) };
  }

  /** The bank returns a payout: its amount is in the balance again. */
  fail(account: string, id: string, code = 'account_closed', atSeconds = nowSeconds()) {
    const before = this.of(account).require(id);
    const payout = this.of(account).put({
      ...before,
      status: 'failed',
      failure_code: code,
      failure_message: 'The bank account has been closed.',
    });
    this.credit(account, payout.amount);
    return { object: payout, event: eventOf('payout.failed', payout, account, atSeconds) };
  }

  /** @throws StripeRefusal */
  answer(request: PayoutRequest): object {
    const { method, path, query, idempotencyKey, account = '' } = request;
    const payouts = this.of(account);
    if (method === 'GET' && path === PAYOUTS_PATH) {
      const { data, has_more } = pageOf(payouts, () => true, new Parameters(query, LIST_PARAMETERS));
      return { object: 'list', url: PAYOUTS_PATH, data, has_more };
    }
    const id = path.slice(PAYOUTS_PATH.length + 1);
    if (method === 'GET') {
      const payout = payouts.get(id);
      if (payout === undefined) throw new StripeRefusal(404, `No such payout: '${id}'`, { code: 'resource_missing' });
      return payout;
    }
    if (method !== 'POST' || path !== PAYOUTS_PATH)
      throw new StripeRefusal(404, `Unrecognized request URL (${method}: ${path}).`);
    const key = `${account} ${idempotencyKey ?? newId('key')}`;
    const answered = this.answers.get(key) ?? this.attempt(account, request.body);
    this.answers.set(key, answered);
    if (answered instanceof StripeRefusal) throw answered;
    return answered;
  }

  private attempt(account: string, body: URLSearchParams): object | StripeRefusal {
    const amount = Number(body.get('amount'));
    const balance = this.balances.get(account) ?? 0;
    if (amount > balance) {
      return new StripeRefusal(400, 'You have insufficient funds in your Stripe account.', {
        code: 'balance_insufficient',
      });
    }
    this.balances.set(account, balance - amount);
    const metadata = Object.fromEntries(
      [...body].flatMap(([name, value]) => {
        const [, key] = /^metadata\[(.+)\]$/.exec(name) ?? [];
        return key === undefined ? [] : [[key, value]];
      }),
    );
    const overrides = { amount, currency: body.get('currency') ?? '', metadata, automatic: false };
    return this.of(account).put(payoutObject(overrides));
  }
}

function payoutObject(overrides: Partial<Stripe.Payout> = {}): Stripe.Payout {
  const created = overrides.created ?? nowSeconds();
  return {
    id: newId('po'),
    object: 'payout',
    amount: 12_000,
    arrival_date: created + 2 * DAY_SECONDS,
    automatic: true,
    created,
    currency: 'eur',
    failure_code: null,
    failure_message: null,
    livemode: false,
    metadata: {},
    method: 'standard',
    status: 'pending',
    ...overrides,
  } satisfies Partial<Stripe.Payout> as Stripe.Payout;
}

function eventOf(type: string, payout: Stripe.Payout, account: string, created: number): Stripe.Event {
  return { ...eventObject(type, payout, { created }), account };
}
