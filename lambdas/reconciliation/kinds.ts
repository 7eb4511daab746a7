import { OBJECT_COLUMNS, OBJECT_TABLES } from '../../core/billing/columns';
import { ENDINGS } from '../../core/providers/stripe/endings';
import { RETRIEVE, type SnapshotKind } from '../../core/providers/stripe/requests';
import type { CounterName } from './counters';

/** Kinds of objects that are compared with Stripe's: every kind that Stripe answers with. Payouts are lists of each connected account; refresh reads those that are late. */
export type ComparedKind = Exclude<SnapshotKind, 'payout'>;
export const COMPARED_KINDS = Object.keys(RETRIEVE).filter((kind): kind is ComparedKind => kind !== 'payout');

/** How the rows of a kind are compared. Conditions are SQL over the columns of the table. */
interface KindOfObject {
  /** Own counter in the report, besides the one by kind. @default none */
  readonly counter?: CounterName;
  /**
   * Which part of Stripe's history a run lists: all of it, or what was created in the window and in one older slice.
   *
   * @default window
   */
  readonly history?: 'whole' | 'window';
  /**
   * Rows whose absence from Stripe's list means nothing: those that it leaves out, and those that neither grant nor count,
   * whether or not Stripe has them. @default none
   */
  readonly unlisted?: string;
  /** Rows that may still change: read one by one when they are older than the window. @default none */
  readonly unsettled?: string;
  /** Columns that do not follow from the object alone. @default none */
  readonly uncompared?: readonly string[];
  /**
   * Columns of which events and lists of newer API versions say nothing: they differ only where both sides name something,
   * and null at Stripe leaves them as they are. @default none
   */
  readonly untold?: readonly string[];
}

export const KINDS: Readonly<Record<ComparedKind, KindOfObject>> = {
  customer: {
    unlisted: 'deleted',
    // Written once, by whatever arrived first.
    uncompared: ['first_seen_at'],
  },
  subscription: {
    counter: 'subscriptions_checked',
    history: 'whole',
    unlisted: ENDINGS.subscription.over,
  },
  invoice: {
    unlisted: ENDINGS.invoice.over,
    unsettled: `coalesce(status, 'draft') IN ('draft', 'open', 'uncollectible')`,
    // Since 2025 the payments of an invoice are objects of their own.
    untold: ['payment_intent_id'],
  },
  purchase: {
    counter: 'purchases_checked',
    unlisted: ENDINGS.purchase.over,
    unsettled: `status = 'complete' AND payment_status = 'unpaid'`,
    // It never changes.
    uncompared: ['mode'],
  },
  payment_intent: {
    unlisted: ENDINGS.payment_intent.over,
    unsettled: `status NOT IN ('succeeded', 'canceled')`,
    untold: ['invoice_id'],
  },
  charge: {
    counter: 'chargesChecked',
    unlisted: ENDINGS.charge.over,
    unsettled: `status = 'pending' OR (status = 'succeeded' AND amount_captured = 0)`,
  },
  refund: { unsettled: `status IN ('pending', 'requires_action')` },
  // Only paid ones are listed: no event tells of the others.
  invoice_payment: { unlisted: ENDINGS.invoice_payment.over },
  dispute: {
    unlisted: ENDINGS.dispute.over,
    unsettled: `status NOT IN ('won', 'lost', 'warning_closed', 'prevented')`,
  },
  early_fraud_warning: { unlisted: ENDINGS.early_fraud_warning.over, unsettled: 'actionable' },
  account: {
    history: 'whole',
    unlisted: `EXISTS (
      SELECT FROM billing.account_restrictions AS restriction
      WHERE restriction.account_id = billing.connect_accounts.id AND cause = 'deauthorized' AND active)`,
    // Also follows from what happened to the account since.
    uncompared: ['restricted'],
  },
};

/** Table of a kind, with its schema. */
export const tableOf = (kind: ComparedKind): string => `billing.${OBJECT_TABLES[kind]}`;

/** The compared columns of each kind. `version` and `raw` may differ without drift. */
export const COMPARED_COLUMNS = Object.fromEntries(
  COMPARED_KINDS.map((kind) => [kind, comparedColumns(kind)]),
) as unknown as Readonly<Record<ComparedKind, readonly string[]>>;

/** `defaulted` follows from the settings of the environment, not from Stripe. */
function comparedColumns(kind: ComparedKind): string[] {
  const { uncompared = [] } = KINDS[kind];
  return Object.keys(OBJECT_COLUMNS[kind]).filter((column) => column !== 'defaulted' && !uncompared.includes(column));
}
