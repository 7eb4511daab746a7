import { ITEM_COLUMNS, OBJECT_COLUMNS } from '../../core/billing/columns';
import type { StateOf } from '../../core/billing/object-state';
import { momentOf } from '../../core/billing/version';

/** Kinds of objects that are compared with Stripe's. */
export const COMPARED_KINDS = ['subscription', 'purchase', 'charge', 'refund'] as const;
export type ComparedKind = (typeof COMPARED_KINDS)[number];
export type ComparedState = StateOf<ComparedKind>;

/** One difference between the database and Stripe. */
export interface Finding {
  readonly kind: 'missed_event' | 'missing_locally' | 'missing_at_stripe' | 'field_differs';
  readonly objectType: 'event' | ComparedKind;
  readonly objectId: string;
  readonly field?: string;
  readonly localValue?: string | null;
  readonly stripeValue?: string | null;
}

/** Every column but `mode`, which never changes. `version` and `raw` may differ without drift. */
export const COMPARED_COLUMNS: Readonly<Record<ComparedKind, readonly string[]>> = {
  subscription: comparedColumns('subscription'),
  purchase: comparedColumns('purchase').filter((column) => column !== 'mode'),
  charge: comparedColumns('charge'),
  refund: comparedColumns('refund'),
};

/** `defaulted` follows from the settings of the environment, not from Stripe. */
function comparedColumns(kind: ComparedKind): string[] {
  return Object.keys(OBJECT_COLUMNS[kind]).filter((column) => column !== 'defaulted');
}

/** Columns of a subscription's items; the subscription they belong to is known. */
export const COMPARED_ITEM_COLUMNS = Object.keys(ITEM_COLUMNS).filter((column) => column !== 'subscription_id');

type Row = Readonly<Record<string, unknown>>;

/** The compared columns of a row, as node-postgres returns them. */
export interface StoredRow extends Row {
  readonly id: string;
  readonly version: string;
  /** Items of a subscription; `null` when it has none. */
  readonly items?: readonly Row[] | null;
}

/**
 * Compares one object of Stripe's with its row, field by field. A row of the same second or a later one comes from an event
 * that was stored while the page was under way: the page is older and proves nothing.
 *
 * @param stored `undefined` when the database has no such row
 */
export function differences(state: ComparedState, stored: StoredRow | undefined): Finding[] {
  const object = { objectType: state.kind, objectId: state.row.id } as const;
  if (stored === undefined) return [{ kind: 'missing_locally', ...object }];
  if (momentOf(stored.version) >= momentOf(state.row.version)) return [];
  const row: Row = state.row;
  const fields = COMPARED_COLUMNS[state.kind].map((field) => ({
    field,
    localValue: canonical(stored[field]),
    stripeValue: canonical(row[field]),
  }));
  if (state.kind === 'subscription') {
    fields.push({
      field: 'items',
      localValue: canonicalItems(stored.items ?? []),
      stripeValue: canonicalItems(state.items),
    });
  }
  return fields
    .filter(({ localValue, stripeValue }) => localValue !== stripeValue)
    .map((field) => ({ kind: 'field_differs', ...object, ...field }));
}

/** One text for one value, whether it came from PostgreSQL (Date, bigint as text) or from Stripe (Date, number). */
function canonical(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function canonicalItems(items: readonly Row[]): string {
  const rows = items.map((item) => COMPARED_ITEM_COLUMNS.map((column) => canonical(item[column])));
  return JSON.stringify(rows.toSorted((a, b) => String(a[0]).localeCompare(String(b[0]))));
}
