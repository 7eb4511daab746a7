import type { ObjectState } from '../../core/billing/object-state';
import { momentOf } from '../../core/billing/version';

/** One thing in which the database and Stripe disagree. */
export interface Finding {
  readonly kind: 'missed_event' | 'missing_locally' | 'missing_at_stripe' | 'field_differs';
  readonly objectType: 'event' | ComparedKind;
  readonly objectId: string;
  readonly field?: string;
  readonly localValue?: string | null;
  readonly stripeValue?: string | null;
}

/** Columns that are compared; the raw object and the version are not drift when they differ. */
export const COMPARED_COLUMNS = {
  subscription: [
    'customer_id',
    'app_id',
    'project_id',
    'user_id',
    'status',
    'currency',
    'current_period_start',
    'current_period_end',
    'cancel_at_period_end',
    'cancel_at',
    'canceled_at',
    'ended_at',
    'trial_end',
    'created_at',
  ],
  purchase: [
    'customer_id',
    'app_id',
    'project_id',
    'user_id',
    'kind',
    'item_id',
    'status',
    'payment_status',
    'payment_intent_id',
    'subscription_id',
    'amount_total',
    'currency',
    'created_at',
  ],
  charge: [
    'customer_id',
    'app_id',
    'project_id',
    'user_id',
    'payment_intent_id',
    'status',
    'amount',
    'amount_refunded',
    'currency',
    'created_at',
  ],
  refund: ['charge_id', 'payment_intent_id', 'status', 'amount', 'currency', 'reason', 'failure_reason', 'created_at'],
} as const;

export type ComparedKind = keyof typeof COMPARED_COLUMNS;
export type ComparedState = Extract<ObjectState, { kind: ComparedKind }>;

export function isCompared(state: ObjectState): state is ComparedState {
  return state.kind in COMPARED_COLUMNS;
}

const COMPARED_ITEM_COLUMNS = [
  'id',
  'price_id',
  'product_id',
  'quantity',
  'unit_amount',
  'currency',
  'recurring_interval',
  'current_period_start',
  'current_period_end',
] as const;

/** A row as node-postgres returns it; `items` holds a subscription's items. */
export type LocalRow = Record<string, unknown> & {
  readonly id: string;
  readonly version: string;
  readonly items?: Record<string, unknown>[] | null;
};

/**
 * Compares one object of Stripe's, field by field, with the row that the database has of it, if any. A row of the same
 * second or later than the object tells of an event that landed while the page was under way: the page is older, and
 * proves nothing.
 */
export function differences(state: ComparedState, local: LocalRow | undefined): Finding[] {
  const object = { objectType: state.kind, objectId: state.row.id } as const;
  if (local === undefined) return [{ kind: 'missing_locally', ...object }];
  if (momentOf(local.version) >= momentOf(state.row.version)) return [];
  const findings: Finding[] = [];
  const row: Readonly<Record<string, unknown>> = state.row;
  for (const field of COMPARED_COLUMNS[state.kind]) {
    const localValue = canonical(local[field]);
    const stripeValue = canonical(row[field]);
    if (localValue !== stripeValue) findings.push({ kind: 'field_differs', ...object, field, localValue, stripeValue });
  }
  if (state.kind === 'subscription') {
    const localValue = canonicalItems(local.items ?? []);
    const stripeValue = canonicalItems(state.items);
    if (localValue !== stripeValue)
      findings.push({ kind: 'field_differs', ...object, field: 'items', localValue, stripeValue });
  }
  return findings;
}

/** One text for one value, whether it came from PostgreSQL (Date, bigint as text) or from Stripe (Date, number). */
function canonical(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function canonicalItems(items: readonly Record<string, unknown>[]): string {
  const rows = items.map((item) => COMPARED_ITEM_COLUMNS.map((column) => canonical(item[column])));
  return JSON.stringify(rows.toSorted((a, b) => String(a[0]).localeCompare(String(b[0]))));
}
