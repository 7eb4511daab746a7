import type { ObjectState } from '../shared/billing/states';

/** One thing in which the database and Stripe disagree. */
export interface Finding {
  readonly kind: 'missed_event' | 'missing_locally' | 'missing_at_stripe' | 'field_differs';
  readonly objectType: 'event' | 'subscription' | 'purchase';
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
} as const;

export type ComparedKind = keyof typeof COMPARED_COLUMNS;

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
  readonly items?: Record<string, unknown>[] | null;
};

/** Compares one object of Stripe's, field by field, with the row that the database has of it, if any. */
export function differences(kind: ComparedKind, state: ObjectState, local: LocalRow | undefined): Finding[] {
  const object = { objectType: kind, objectId: state.row.id } as const;
  if (local === undefined) return [{ kind: 'missing_locally', ...object }];
  const findings: Finding[] = [];
  for (const field of COMPARED_COLUMNS[kind]) {
    const localValue = canonical(local[field]);
    const stripeValue = canonical(state.row[field]);
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

/** One text for one value, whether it came from PostgreSQL (Date, bigint as text) or from Stripe (ISO text, number). */
function canonical(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function canonicalItems(items: readonly Record<string, unknown>[]): string {
  const rows = items.map((item) => COMPARED_ITEM_COLUMNS.map((column) => canonical(item[column])));
  return JSON.stringify(rows.toSorted((a, b) => String(a[0]).localeCompare(String(b[0]))));
}
