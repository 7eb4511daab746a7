import { ITEM_COLUMNS, OBJECT_TABLES } from '../../core/billing/columns';
import type { StateOf } from '../../core/billing/object-state';
import { momentOf } from '../../core/billing/version';
import { ERASURE_POLICY } from '../../core/erasure/policy';
import { billedOf } from './billed';
import { COMPARED_COLUMNS, KINDS, type ComparedKind } from './kinds';

export type ComparedState = StateOf<ComparedKind>;

/** One difference between the database and Stripe. */
export interface Finding {
  readonly kind: 'missed_event' | 'missing_locally' | 'missing_at_stripe' | 'field_differs';
  readonly objectType: 'event' | 'entitlements' | ComparedKind;
  readonly objectId: string;
  readonly field?: string;
  readonly localValue?: string | null;
  readonly stripeValue?: string | null;
}

/** Columns of a subscription's items; the subscription they belong to is known. */
export const COMPARED_ITEM_COLUMNS = Object.keys(ITEM_COLUMNS).filter(
  (column) => !['subscription_id', 'position'].includes(column),
);

type Row = Readonly<Record<string, unknown>>;

/** The compared columns of a row, as node-postgres returns them. */
export interface StoredRow extends Row {
  readonly id: string;
  /** Empty for a customer of whom only the id is known. */
  readonly version: string;
  /** Items of a subscription; `null` when it has none. */
  readonly items?: readonly Row[] | null;
  /** Of somebody who was erased: what the erasure took is no difference, whatever Stripe still has. */
  readonly erased?: boolean;
  /** Of an invoice; see `BILLED_PARTS`. */
  readonly billed?: unknown;
}

interface ComparedField {
  readonly field: string;
  readonly localValue: string | null;
  readonly stripeValue: string | null;
}

/**
 * Compares one object of Stripe's with its row, field by field. A row of the same second or a later one comes from an event
 * that was stored while the page was under way: the page is older and proves nothing.
 *
 * @param stored `undefined` when the database has no such row
 */
export function differences(state: ComparedState, stored: StoredRow | undefined): Finding[] {
  const object = { objectType: state.kind, objectId: state.row.id } as const;
  if (stored === undefined || stored.version === '') return [{ kind: 'missing_locally', ...object }];
  if (momentOf(stored.version) >= momentOf(state.row.version)) return [];
  return [...columnsOf(state, stored), ...partsOf(state, stored)]
    .filter(({ localValue, stripeValue }) => localValue !== stripeValue)
    .map((field) => ({ kind: 'field_differs', ...object, ...field }));
}

/** A state as it corrects its row: columns of which Stripe says nothing any more stay as they are stored. */
export function correctionOf<State extends ComparedState>(state: State, stored: StoredRow | undefined): State {
  const row: Row = state.row;
  const kept = (KINDS[state.kind].untold ?? []).filter((column) => row[column] === null && stored?.[column] != null);
  if (kept.length === 0) return state;
  return { ...state, row: { ...state.row, ...Object.fromEntries(kept.map((column) => [column, stored?.[column]])) } };
}

function columnsOf({ kind, row }: ComparedState, stored: StoredRow): ComparedField[] {
  const { untold = [] } = KINDS[kind];
  const values: Row = row;
  return COMPARED_COLUMNS[kind]
    .filter((column) => !untold.includes(column) || (values[column] !== null && stored[column] != null))
    .filter((column) => stored.erased !== true || isKept(kind, column))
    .map((field) => ({ field, localValue: canonical(stored[field]), stripeValue: canonical(values[field]) }));
}

function isKept(kind: ComparedKind, column: string): boolean {
  return ERASURE_POLICY[`billing.${OBJECT_TABLES[kind]}`]?.[column]?.treatment === 'keep';
}

/** What is compared besides columns. */
function partsOf(state: ComparedState, stored: StoredRow): ComparedField[] {
  if (state.kind === 'subscription') {
    const [localValue, stripeValue] = [canonicalItems(stored.items ?? []), canonicalItems(state.items)];
    return [{ field: 'items', localValue, stripeValue }];
  }
  return state.kind === 'invoice' ? billedParts(state, stored) : [];
}

function billedParts({ row }: StateOf<'invoice'>, stored: StoredRow): ComparedField[] {
  const [local, atStripe] = [billedOf(stored.billed), billedOf(row.raw)];
  const field = (name: string, localValue: unknown, stripeValue: unknown): ComparedField => ({
    field: name,
    localValue: canonical(localValue),
    stripeValue: canonical(stripeValue),
  });
  // Where one of them has only the first lines, the other has to have those.
  const [fewer, more] = local.partial ? [local.lines, atStripe.lines] : [atStripe.lines, local.lines];
  const areSame = (local.partial || atStripe.partial) && fewer.length > 0 && fewer.every((line) => more.includes(line));
  return [
    field('due_date', local.dueDate, atStripe.dueDate),
    field('finalized_at', local.finalizedAt, atStripe.finalizedAt),
    ...(areSame ? [] : [field('lines', local.lines, atStripe.lines)]),
  ];
}

/** One text for one value, whether it came from PostgreSQL (Date, bigint as text) or from Stripe (Date, number). */
function canonical(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return JSON.stringify(value.map(String).toSorted());
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function canonicalItems(items: readonly Row[]): string {
  const rows = items.map((item) => COMPARED_ITEM_COLUMNS.map((column) => canonical(item[column])));
  return JSON.stringify(rows.toSorted((a, b) => String(a[0]).localeCompare(String(b[0]))));
}
