import type Stripe from 'stripe';
import { NO_DEFAULTS } from '../../core/billing/owner';
import { pagesOf, type ListPage } from '../../core/providers/stripe/pages';
import { EVIDENCE, retrieveOwnedSession, retrieveOwnedSubscription } from '../../core/providers/stripe/requests';
import {
  isMissingAtStripe,
  snapshotStates,
  wholeInvoice,
  wholeSubscription,
} from '../../core/providers/stripe/snapshots';
import type { ComparedState } from './differences';
import type { ComparedKind } from './kinds';
import type { Run } from './run';

/** What grants: a subscription, or a checkout session of a one-time purchase. */
export interface Source {
  readonly kind: 'subscription' | 'purchase';
  readonly id: string;
}

/** Everything at Stripe that decides about access by one source. */
export interface Evidence {
  readonly states: readonly ComparedState[];
  readonly customerId: string | null;
  /** The payment intent of a purchase. */
  readonly paymentIntentId: string | null;
  /** Seconds since 1970 of the first request: all of it is at least as new. */
  readonly requestedAtSeconds: number;
}

/**
 * Reads what decides about access by a source: four calls for a subscription, one for a purchase, and some more where there
 * are disputes, refunds or long lists.
 *
 * @returns `undefined` when Stripe does not have the source
 */
export async function readEvidence(run: Run, { kind, id }: Source): Promise<Evidence | undefined> {
  const reader = new EvidenceReader(run);
  try {
    if (kind === 'subscription') await readSubscription(reader, id);
    else await readPurchase(reader, id);
  } catch (error) {
    if (isMissingAtStripe(error)) return undefined;
    throw error;
  }
  return reader.evidence();
}

async function readSubscription(reader: EvidenceReader, id: string): Promise<void> {
  const { run } = reader;
  const subscription = await reader.read(() => retrieveOwnedSubscription(run.stripe, id));
  reader.addCustomer(subscription.customer);
  reader.add('subscription', [await wholeSubscription(run, { ...subscription, customer: reader.customerId ?? '' })]);
  const [invoices, sessions, charges] = await Promise.all([
    reader.list(EVIDENCE.invoicesOfSubscription(run.stripe, id)),
    reader.list(EVIDENCE.sessionsOfSubscription(run.stripe, id)),
    reader.customerId === null ? [] : reader.list(EVIDENCE.chargesOfCustomer(run.stripe, reader.customerId)),
  ]);
  reader.add('invoice', await Promise.all(invoices.map((invoice) => wholeInvoice(run, invoice))));
  const payments = invoices.flatMap((invoice) => invoice.payments?.data ?? []);
  reader.add(
    'invoice_payment',
    payments.filter(({ status }) => status === 'paid'),
  );
  reader.add('purchase', sessions);
  await readDisputes(reader, charges);
}

async function readPurchase(reader: EvidenceReader, id: string): Promise<void> {
  const { run } = reader;
  const session = await reader.read(() => retrieveOwnedSession(run.stripe, id));
  const { payment_intent: intent } = session;
  reader.addCustomer(session.customer);
  reader.add('purchase', [session]);
  if (intent === null || typeof intent === 'string') return;
  reader.paymentIntentId = intent.id;
  reader.add('payment_intent', [intent]);
  const { latest_charge: charge } = intent;
  if (charge === null || typeof charge === 'string') return;
  reader.add('charge', [charge]);
  if (charge.amount_refunded > 0) {
    reader.add('refund', await reader.list(EVIDENCE.refundsOfCharge(run.stripe, charge.id)));
  }
  await readDisputes(reader, [charge]);
}

async function readDisputes(reader: EvidenceReader, charges: readonly Stripe.Charge[]): Promise<void> {
  for (const { id, disputed } of charges) {
    if (disputed) reader.add('dispute', await reader.list(EVIDENCE.disputesOfCharge(reader.run.stripe, id)));
  }
}

/** Gathers states, with the moment of the first request. */
class EvidenceReader {
  customerId: string | null = null;
  paymentIntentId: string | null = null;
  private readonly objects: [ComparedKind, object][] = [];
  private requestedAtSeconds = Number.POSITIVE_INFINITY;

  constructor(readonly run: Run) {}

  async read<T>(request: () => Promise<Stripe.Response<T>>): Promise<T> {
    const { value, requestedAtSeconds } = await this.run.call(request);
    this.requestedAtSeconds = Math.min(this.requestedAtSeconds, requestedAtSeconds);
    return value;
  }

  async list<T extends { id: string }>(list: ListPage<T>): Promise<T[]> {
    const objects: T[] = [];
    const never = new AbortController().signal;
    for await (const page of pagesOf(this.run.call, list, [{}], never)) {
      this.requestedAtSeconds = Math.min(this.requestedAtSeconds, page.requestedAtSeconds);
      objects.push(...page.objects);
    }
    return objects;
  }

  add(kind: ComparedKind, objects: readonly object[]): void {
    this.objects.push(...objects.map((object): [ComparedKind, object] => [kind, object]));
  }

  addCustomer(customer: string | Stripe.Customer | Stripe.DeletedCustomer | null): void {
    if (customer === null) return;
    this.customerId = typeof customer === 'string' ? customer : customer.id;
    if (typeof customer !== 'string') this.add('customer', [customer]);
  }

  evidence(): Evidence {
    const { customerId, paymentIntentId, requestedAtSeconds } = this;
    const defaults = this.run.apply.defaults ?? NO_DEFAULTS;
    const states = this.objects.flatMap(
      ([kind, object]) => snapshotStates(kind, { object, requestedAtSeconds }, defaults) as ComparedState[],
    );
    return { states, customerId, paymentIntentId, requestedAtSeconds };
  }
}
