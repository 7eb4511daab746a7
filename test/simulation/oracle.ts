import type { EntitlementRule } from '../../core/entitlements/contract';
import type { Dispute, Invoice, Item, Line, Metadata, Refund, Session, Subscription } from './objects';
import { DAY, type StripeState } from './state';

/**
 * Who may use what, computed slowly and one object at a time from what the simulated Stripe knows, as docs/entitlements.md
 * says it. It shares no code with the platform, which computes the same in SQL from the events that it was sent.
 *
 * @returns one line for each grant, sorted: `user|project|feature|source|id|from|until`, times in seconds since 1970,
 * `forever` for what was bought for good
 */
export function expectedEntitlements(stripe: StripeState, rules: readonly EntitlementRule[]): string[] {
  const known = knowledgeOf(stripe);
  const grants = new Map<string, { from: number; until: number }>();
  const grant = (owner: Owner, feature: string, source: string, id: string, from: number, until: number) => {
    if (owner.user === undefined || until <= from) return;
    const key = [owner.user, owner.project ?? '', feature, source, id].join('|');
    grants.set(key, { from, until: Math.max(until, grants.get(key)?.until ?? 0) });
  };
  for (const subscription of stripe.subscriptions.values()) {
    const owner = ownerOfSubscription(stripe, subscription);
    for (const rule of rules) {
      if (rule.grants.source !== 'subscription' || !everSold(stripe, subscription, rule)) continue;
      const until = untilOf(known, subscription, rule);
      for (const feature of rule.features) {
        grant(owner, feature, 'subscription', subscription.id, subscription.created, until);
      }
    }
  }
  for (const session of stripe.sessions.values()) {
    const owner = ownerOf([session.metadata, customerMetadata(stripe, session.customer)], session);
    for (const rule of rules) {
      if (rule.grants.source !== 'purchase' || rule.grants.kind !== session.metadata.kind) continue;
      if (!isBought(known, session, rule)) continue;
      for (const feature of rule.features) {
        const name = feature.replace('{item_id}', session.metadata.item_id ?? '');
        grant(owner, name, 'purchase', session.id, session.created, Infinity);
      }
    }
  }
  const written = (until: number) => (until === Infinity ? 'forever' : String(until));
  return [...grants].map(([key, { from, until }]) => `${key}|${from}|${written(until)}`).toSorted();
}

/** Whether the subscription was ever billed at the rule's price, or has it now. */
function everSold(stripe: StripeState, subscription: Subscription, { grants }: EntitlementRule): boolean {
  const priceId = 'priceId' in grants ? grants.priceId : undefined;
  return (
    subscription.items.data.some(({ price }) => price.id === priceId) ||
    stripe
      .invoicesOf(subscription)
      .some(({ lines }) => lines.data.some(({ pricing }) => pricing.price_details.price === priceId))
  );
}

/** What the simulated Stripe knows, with its disputes and refunds by payment intent. */
interface Knowledge {
  readonly stripe: StripeState;
  readonly disputes: ReadonlyMap<string, readonly Dispute[]>;
  readonly refunds: ReadonlyMap<string, readonly Refund[]>;
}

function knowledgeOf(stripe: StripeState): Knowledge {
  return {
    stripe,
    disputes: Map.groupBy(stripe.disputes.values(), (dispute) => dispute.payment_intent),
    refunds: Map.groupBy(stripe.refunds.values(), (refund) => refund.payment_intent),
  };
}

type ItemId = Pick<Item, 'id'>;

interface Owner {
  readonly user: string | undefined;
  readonly project: string | undefined;
}

/** The first metadata that names a user, or a project, counts; the session's reference comes last. */
function ownerOf(sources: readonly (Metadata | undefined)[], session: Session | undefined): Owner {
  const first = (key: string) => sources.find((metadata) => metadata?.[key])?.[key];
  return { user: first('user_id') ?? session?.client_reference_id ?? undefined, project: first('project_id') };
}

function ownerOfSubscription(stripe: StripeState, subscription: Subscription): Owner {
  const session = stripe.sessions.get(subscription.id);
  const customer = customerMetadata(stripe, subscription.customer);
  return ownerOf([subscription.metadata, session?.metadata, customer], session);
}

function customerMetadata(stripe: StripeState, customer: string): Metadata | undefined {
  return stripe.customers.get(customer)?.metadata;
}

/** When access by a rule ends; 0 for never had. Of several items, and prices that were paid, the longest counts. */
function untilOf(known: Knowledge, subscription: Subscription, rule: EntitlementRule): number {
  if (rule.grants.source !== 'subscription') return 0;
  const present = subscription.items.data;
  const ends = [
    ...present.filter(({ quantity }) => quantity > 0).map((item) => untilOfItem(known, subscription, item, rule)),
    ...removedItems(known, subscription).map((item) => untilOfRemoved(known, subscription, item, rule)),
  ];
  const limits = [
    subscription.cancel_at_period_end ? Math.min(...present.map((item) => item.current_period_end)) : Infinity,
    subscription.ended_at ?? Infinity,
  ];
  return Math.min(Math.max(0, ...ends), ...limits);
}

function untilOfItem(known: Knowledge, subscription: Subscription, item: Item, rule: EntitlementRule): number {
  if (rule.grants.source !== 'subscription') return 0;
  const { priceId } = rule.grants;
  const isCurrent = item.price.id === priceId;
  const paid = paidUntil(known, subscription, item, priceId ?? '', rule);
  const grace = graceOf(subscription, rule);
  const { status, pause_collection: paused } = subscription;
  if (status === 'unpaid') return paid;
  if (status === 'past_due') {
    if (!isCurrent) return paid;
    const owedSince = oldestDebt(known, subscription, item, paid);
    if (owedSince !== undefined) return Math.max(paid, owedSince + grace);
    if (!isBilled(known, subscription, item)) return item.current_period_end + grace;
    return paid + (paid > 0 ? grace : 0);
  }
  if (status === 'active' && paused && !isGrantedWhilePaused(rule, paused.behavior)) return paid;
  if (!isCurrent) return status === 'active' && isChangeTakenBack(known, subscription, item, priceId, rule) ? paid : 0;
  if (isTakenByDispute(known, subscription, item, rule)) return 0;
  if (status === 'trialing') return subscription.trial_end ?? item.current_period_end;
  if (status === 'active') return item.current_period_end + grace;
  return status === 'canceled' ? (subscription.ended_at ?? 0) : 0;
}

/** Ids of items that paid invoices bill and the subscription no longer has. */
function removedItems({ stripe }: Knowledge, subscription: Subscription): ItemId[] {
  const present = new Set(subscription.items.data.map(({ id }) => id));
  const billed = stripe
    .invoicesOf(subscription)
    .filter(({ status }) => status === 'paid')
    .flatMap(({ lines }) => lines.data.map(({ parent }) => parent.subscription_item_details.subscription_item));
  return [...new Set(billed)].filter((id) => !present.has(id)).map((id) => ({ id }));
}

/** A removed item is granted to the end of what was paid for it, where the removal was not paid for. */
function untilOfRemoved(known: Knowledge, subscription: Subscription, item: ItemId, rule: EntitlementRule): number {
  if (rule.grants.source !== 'subscription') return 0;
  const price = rule.grants.priceId ?? '';
  const { status, pause_collection: paused } = subscription;
  const takenBack = isChangeTakenBack(known, subscription, item, price, rule);
  const owed = known.stripe
    .invoicesOf(subscription)
    .some((invoice) => ['open', 'uncollectible'].includes(invoice.status) && givesCredit(invoice, item, price));
  const isPaidOnly =
    ['past_due', 'unpaid'].includes(status) ||
    (status === 'active' && paused !== null && !isGrantedWhilePaused(rule, paused.behavior));
  const remains = isPaidOnly ? takenBack || owed : status === 'active' && takenBack;
  return remains ? paidUntil(known, subscription, item, price, rule) : 0;
}

function givesCredit(invoice: Invoice, item: ItemId, price: string): boolean {
  return linesOf(invoice, item, price).some(({ amount }) => amount < 0);
}

/** Whether disputes undid the credit for an item at a price, and so the change away from it. */
function isChangeTakenBack(
  known: Knowledge,
  subscription: Subscription,
  item: ItemId,
  price: string | undefined,
  rule: EntitlementRule,
): boolean {
  return [...undoneLines(known, subscription, rule)].some(
    (line) => line.amount < 0 && isLineOf(line, item, price ?? ''),
  );
}

/**
 * Lines of paid invoices that disputes undid, from the oldest invoice to the newest: every line of a disputed one, a credit for
 * what only undone lines had paid, and what was bought with such a credit.
 */
function undoneLines(known: Knowledge, subscription: Subscription, rule: EntitlementRule): Set<Line> {
  const paid = known.stripe
    .invoicesOf(subscription)
    .filter(({ status }) => status === 'paid')
    .toSorted((one, other) => one.created - other.created || (one.id < other.id ? -1 : 1));
  const undone = new Set(paid.filter((invoice) => isDisputed(known, invoice, rule)).flatMap(({ lines }) => lines.data));
  if (undone.size === 0) return undone;
  for (const [index, invoice] of paid.entries()) {
    const before = paid.slice(0, index).flatMap(({ lines }) => lines.data);
    const relying = invoice.lines.data.filter((credit) => {
      const item = { id: itemIdOf(credit) };
      const payers = before.filter(
        (line) =>
          line.amount >= 0 &&
          isLineOf(line, item, credit.pricing.price_details.price) &&
          line.period.end >= credit.period.end,
      );
      return credit.amount < 0 && payers.length > 0 && payers.every((payer) => undone.has(payer));
    });
    for (const credit of relying) {
      const charges = invoice.lines.data.filter((line) => line.amount >= 0 && overlap(line, credit));
      const sameItem = charges.filter((line) => itemIdOf(line) === itemIdOf(credit));
      const replacements = charges.filter(
        (line) =>
          !invoice.lines.data.some((own) => own.amount < 0 && itemIdOf(own) === itemIdOf(line) && overlap(own, line)),
      );
      for (const line of [credit, ...(sameItem.length > 0 ? sameItem : replacements)]) undone.add(line);
    }
  }
  return undone;
}

function isGrantedWhilePaused(rule: EntitlementRule, behavior: string): boolean {
  const { whilePaused } = rule.grants as { whilePaused?: 'paid' | 'granted' };
  return whilePaused === undefined ? behavior === 'keep_as_draft' : whilePaused === 'granted';
}

/** Seconds. */
function graceOf(subscription: Subscription, rule: EntitlementRule): number {
  const days = (rule.grants as { graceDays?: number | { chargeAutomatically: number; sendInvoice: number } }).graceDays;
  if (typeof days !== 'object') return (days ?? 7) * DAY;
  return DAY * (subscription.collection_method === 'send_invoice' ? days.sendInvoice : days.chargeAutomatically);
}

/**
 * The end of what paid invoices cover of an item at a price; 0 for nothing. The credit of a later paid invoice cuts what
 * was covered before it, if it reaches to its end. What disputes undid neither covers nor cuts.
 */
function paidUntil(
  known: Knowledge,
  subscription: Subscription,
  item: ItemId,
  price: string,
  rule: EntitlementRule,
): number {
  const undone = undoneLines(known, subscription, rule);
  const invoices = known.stripe.invoicesOf(subscription).filter(({ status }) => status === 'paid');
  const keptOf = (invoice: Invoice) => linesOf(invoice, item, price).filter((line) => !undone.has(line));
  const ends = invoices.flatMap((invoice) =>
    keptOf(invoice)
      .filter(({ amount }) => amount >= 0)
      .map(({ period }) => {
        const credits = invoices
          .filter(({ created }) => created > invoice.created)
          .flatMap((later) => keptOf(later).filter((line) => line.amount < 0 && line.period.end >= period.end));
        return Math.min(period.end, ...credits.map((credit) => Math.max(credit.period.start, period.start)));
      }),
  );
  return Math.max(0, ...ends);
}

function linesOf(invoice: Invoice, item: ItemId, price: string): Line[] {
  return invoice.lines.data.filter((line) => isLineOf(line, item, price));
}

function isLineOf(line: Line, { id }: ItemId, price: string): boolean {
  return itemIdOf(line) === id && line.pricing.price_details.price === price;
}

function overlap({ period: one }: Line, { period: other }: Line): boolean {
  return one.start < other.end && one.end > other.start;
}

function itemIdOf({ parent }: Line): string {
  return parent.subscription_item_details.subscription_item;
}

/**
 * When the grace of the oldest open invoice for an item at its price began, leaving out those that bill what was paid beyond;
 * `undefined` when there is none.
 */
function oldestDebt(known: Knowledge, subscription: Subscription, item: Item, paid: number): number | undefined {
  const anchors = known.stripe
    .invoicesOf(subscription)
    .filter(({ status }) => status === 'open')
    .filter((invoice) =>
      linesOf(invoice, item, item.price.id).some(({ amount, period }) => amount >= 0 && period.end >= paid),
    )
    .map(
      (invoice) =>
        invoice.due_date ??
        known.stripe.firstFailures.get(invoice.id) ??
        invoice.status_transitions.finalized_at ??
        invoice.created,
    );
  return anchors.length === 0 ? undefined : Math.min(...anchors);
}

/** Whether an invoice ever billed an item at its present price. */
function isBilled({ stripe }: Knowledge, subscription: Subscription, item: Item): boolean {
  return stripe.invoicesOf(subscription).some((invoice) => linesOf(invoice, item, item.price.id).length > 0);
}

/** Whether disputes undid the payment of the item's present period, and no other invoice paid it. */
function isTakenByDispute(known: Knowledge, subscription: Subscription, item: Item, rule: EntitlementRule): boolean {
  const { current_period_end: end, price } = item;
  const undone = [...undoneLines(known, subscription, rule)].some(
    (line) => line.amount >= 0 && isLineOf(line, item, price.id) && line.period.end >= end,
  );
  return undone && paidUntil(known, subscription, item, price.id, rule) < end;
}

function isDisputed(known: Knowledge, invoice: Invoice, rule: EntitlementRule): boolean {
  const intent = known.stripe.invoicePayments.get(invoice.id)?.payment.payment_intent ?? '';
  return (known.disputes.get(intent) ?? []).some((dispute) => takesAccess(dispute, rule));
}

function takesAccess({ status }: Dispute, rule: EntitlementRule): boolean {
  const when = (rule.grants as { onDispute?: 'at_once' | 'on_loss' | 'never' }).onDispute ?? 'on_loss';
  if (when === 'never') return false;
  return status === 'lost' || (when === 'at_once' && status !== 'won');
}

/** Whether a purchase is paid, and neither given back nor taken back by its bank. */
function isBought({ stripe, refunds, disputes }: Knowledge, session: Session, rule: EntitlementRule): boolean {
  const intentId = session.payment_intent ?? '';
  const intent = stripe.intents.get(intentId);
  if (session.payment_status !== 'paid' && intent?.status !== 'succeeded') return false;
  const charge = stripe.charges.get(intent?.latest_charge ?? '');
  if (!charge) return true;
  const refunded = (refunds.get(intentId) ?? [])
    .filter(({ status, reason }) => reason !== null && (status === 'succeeded' || status === 'pending'))
    .reduce((sum, { amount }) => sum + amount, 0);
  if (charge.amount_captured > 0 && refunded >= charge.amount_captured) return false;
  return !(disputes.get(intentId) ?? []).some((dispute) => takesAccess(dispute, rule));
}
