import type { ArrayElementType } from '../database/array-parameter';
import type { Statement } from '../database/transaction';
import {
  ACCOUNT_ID_COLUMNS,
  EVENT_COLUMNS,
  ITEM_COLUMNS,
  OBJECT_COLUMNS,
  OBJECT_TABLES,
  REFRESH_COLUMNS,
  REFUND_ENTRY_COLUMNS,
  SEEN_CUSTOMER_COLUMNS,
  type Columns,
  type ColumnType,
  type ObjectKind,
} from './columns';
import { IDS_OFFSET, MOMENT_LENGTH } from './version';

/**
 * A statement for a whole batch at once. Its first parameters are one array for each of its columns, in their order; see
 * row-parameters.ts. Rows are stored in the order of their keys, so that concurrent batches lock in the same order.
 */
export interface RowsStatement<Table extends Columns = Columns> extends Statement {
  readonly columns: Table;
}

/**
 * The rows in a statement's first parameters, as a table `incoming`.
 *
 * The planner does not see through `(SELECT …)`, so it cannot count the rows of the values it was given: a plan for one row
 * looks no cheaper than the plan for any number, and PostgreSQL keeps the latter after five executions. Otherwise it would
 * plan every statement again for every small batch, which took more than half of the time of a single event.
 */
function incomingTable(columns: Columns): string {
  const arrays = Object.values(columns).map((type, index) =>
    index === 0 ? `(SELECT $1::${wireType(type)}[])` : `$${index + 1}::${wireType(type)}[]`,
  );
  return `unnest(${arrays.join(', ')}) AS incoming (${namesOf(columns)})`;
}

/** Select list of `incoming` in which every column has its own type. */
function castColumns(columns: Columns): string {
  return Object.entries(columns)
    .map(([name, type]) => (wireType(type) === type ? name : `${name}::${type}`))
    .join(', ');
}

/** Array element type on the wire; PostgreSQL casts and rejects what does not fit. */
export function wireType(type: ColumnType): ArrayElementType {
  if (type === 'integer') return 'bigint';
  return type === 'text[]' ? 'text' : type;
}

const namesOf = (columns: Columns): string => Object.keys(columns).join(', ');

const assignments = (names: readonly string[]): string => names.map((name) => `${name} = excluded.${name}`).join(', ');

/**
 * The object itself, as the provider sent it. When an event of the same batch holds it, `raw` is null and `raw_event_id`
 * names that event: the object is most of a row, and is neither sent nor parsed again.
 */
const RAW_COLUMNS = { raw_event_id: 'text', raw: 'jsonb' } as const;

const idsIn = (version: string) => `string_to_array(substr(${version}, ${IDS_OFFSET + 1}), ' ')`;

/** Both versions are of events of one second, and the new one does not know all events that the stored one does. */
const TIED = `left(excluded.version, ${MOMENT_LENGTH}) = left(stored.version, ${MOMENT_LENGTH})
  AND least(length(excluded.version), length(stored.version)) > ${IDS_OFFSET}
  AND NOT ${idsIn('excluded.version')} @> ${idsIn('stored.version')}`;

/**
 * Stores each row that is newer than the stored one; returns `id` and `version` of those that were stored.
 *
 * A row of the same second as the stored one is stored for the moment, whichever is the newer, and the version that is
 * returned names the events of both: the caller finds out which came last, and stores that. So the lock of the row decides
 * which of two concurrent batches sees the events of the other.
 *
 * After the rows: the provider of the batch's events, and the path of the object within an event; see {@link RAW_COLUMNS}.
 *
 * @param options.writtenOnce columns that are only written with a new row
 * @param options.outliveDeletion columns that a deleted object without metadata leaves as they are
 */
function guardedUpsert(
  kind: ObjectKind,
  {
    writtenOnce = [],
    outliveDeletion = [],
  }: { readonly writtenOnce?: readonly string[]; readonly outliveDeletion?: readonly string[] } = {},
): RowsStatement {
  const table = OBJECT_TABLES[kind];
  const stored = { id: 'text', ...OBJECT_COLUMNS[kind], version: 'text' } as const;
  const columns = { ...stored, ...RAW_COLUMNS };
  const names = [...Object.keys(stored), 'raw'];
  const updated = names.filter((column) => !['id', 'version', ...writtenOnce, ...outliveDeletion].includes(column));
  const outliving = outliveDeletion.map(
    (column) =>
      `${column} = CASE WHEN excluded.deleted AND NOT excluded.raw ? 'metadata' THEN stored.${column} ELSE excluded.${column} END,`,
  );
  const provider = Object.keys(columns).length + 1;
  return {
    name: `upsert_${table}`,
    columns,
    text: `
INSERT INTO billing.${table} AS stored (${names.join(', ')})
SELECT ${castColumns(stored)},
  coalesce(raw, (SELECT event.payload #> $${provider + 1}::text[] FROM billing.webhook_events AS event
                 WHERE event.provider = $${provider}::text AND event.id = raw_event_id))
FROM ${incomingTable(columns)}
ON CONFLICT (id) DO UPDATE SET ${assignments(updated)}, ${outliving.join(' ')}
  version = excluded.version || CASE WHEN ${TIED} THEN ' ' || substr(stored.version, ${IDS_OFFSET + 1}) ELSE '' END
WHERE excluded.version > stored.version OR (${TIED})
RETURNING id, version`,
  };
}

/** How the states of each kind are stored. */
export const UPSERTS: Readonly<Record<ObjectKind, RowsStatement>> = {
  // Their rows are there already, because INSERT_CUSTOMERS ran before. An upsert finds each by its key; an update would
  // read the whole table to join it.
  customer: guardedUpsert('customer', {
    writtenOnce: ['first_seen_at'],
    // What the customer paid for stays its user's.
    outliveDeletion: ['app_id', 'project_id', 'user_id', 'defaulted'],
  }),
  subscription: guardedUpsert('subscription'),
  invoice: guardedUpsert('invoice'),
  purchase: guardedUpsert('purchase'),
  payment_intent: guardedUpsert('payment_intent'),
  charge: guardedUpsert('charge'),
  refund: guardedUpsert('refund'),
  invoice_payment: guardedUpsert('invoice_payment'),
  dispute: guardedUpsert('dispute'),
  early_fraud_warning: guardedUpsert('early_fraud_warning'),
  account: guardedUpsert('account'),
  account_restriction: guardedUpsert('account_restriction'),
  payout: guardedUpsert('payout'),
  transfer: guardedUpsert('transfer'),
};

/**
 * Claims events: inserts those never seen and takes over those that failed before, and those that were ignored and now have
 * an effect; returns the ids that were claimed. An event that another transaction is applying makes this one wait, and is
 * then found processed. Rows are written once, with their final status, because they commit together with their effect.
 *
 * After the rows: the provider of all of them.
 */
export const CLAIM_EVENTS: RowsStatement<typeof EVENT_COLUMNS> = {
  name: 'claim_events',
  columns: EVENT_COLUMNS,
  text: `
INSERT INTO billing.webhook_events AS stored (provider, ${namesOf(EVENT_COLUMNS)}, attempts, processed_at)
SELECT $${Object.keys(EVENT_COLUMNS).length + 1}::text, ${castColumns(EVENT_COLUMNS)},
  1, CASE WHEN error IS NULL THEN now() END
FROM ${incomingTable(EVENT_COLUMNS)}
ON CONFLICT (provider, id) DO UPDATE
SET status = excluded.status, error = excluded.error, attempts = stored.attempts + 1,
    processed_at = excluded.processed_at, payload = excluded.payload
WHERE stored.status IN ('received', 'processing', 'failed')
  OR (stored.status = 'ignored' AND excluded.status = 'processed')
RETURNING id, attempts`,
};

/**
 * Inserts the customers that are not known. Known ones, which almost all are, are left out before the insert: an upsert
 * would lock and write their rows to change nothing.
 */
export const INSERT_CUSTOMERS: RowsStatement<typeof SEEN_CUSTOMER_COLUMNS> = {
  name: 'insert_customers',
  columns: SEEN_CUSTOMER_COLUMNS,
  text: `
INSERT INTO billing.customers AS stored (id, first_seen_at)
SELECT id, first_seen_at FROM ${incomingTable(SEEN_CUSTOMER_COLUMNS)}
WHERE NOT coalesce((SELECT known.first_seen_at <= incoming.first_seen_at FROM billing.customers AS known
                    WHERE known.id = incoming.id), false)
ON CONFLICT (id) DO UPDATE SET first_seen_at = excluded.first_seen_at
WHERE excluded.first_seen_at < stored.first_seen_at`,
};

const ITEM_NAMES = Object.keys(ITEM_COLUMNS);
const itemOf = (table: string) => `(${ITEM_NAMES.map((column) => `${table}.${column}`).join(', ')})`;

/**
 * Replaces the items of the given subscriptions; unchanged items, which most are, are not written. It runs after the upsert
 * that locked those subscriptions, as a statement of its own: only then does it see the items that a concurrent batch has
 * just committed.
 *
 * After the items: ids of the subscriptions that were stored, and for each whether its list of items was cut off. From such
 * an item is removed only when one that was behind it in the list is still listed; any other may be beyond the end. Stored items
 * are looked up one subscription at a time: a plan that was made while the table was empty, and is
 * kept with the connection, would otherwise read the whole table for every batch as it fills.
 */
export const REPLACE_SUBSCRIPTION_ITEMS: RowsStatement<typeof ITEM_COLUMNS> = {
  name: 'replace_subscription_items',
  columns: ITEM_COLUMNS,
  text: `
WITH incoming AS MATERIALIZED (
  SELECT ${castColumns(ITEM_COLUMNS)} FROM ${incomingTable(ITEM_COLUMNS)}
), superseded AS MATERIALIZED (
  SELECT stored.id, listed.subscription_id
  FROM unnest((SELECT $${ITEM_NAMES.length + 1}::text[]), $${ITEM_NAMES.length + 2}::boolean[])
    AS listed (subscription_id, cut_off)
  CROSS JOIN LATERAL (
    SELECT item.id, item.position, max(item.position) FILTER (WHERE item.id IN (SELECT id FROM incoming)) OVER () AS last_kept
    FROM billing.subscription_items AS item
    WHERE item.subscription_id = listed.subscription_id OFFSET 0) AS stored
  WHERE NOT EXISTS (SELECT FROM incoming WHERE incoming.id = stored.id)
    AND (stored.position < stored.last_kept OR NOT listed.cut_off)
), removed AS (
  -- The subscription again: a concurrent batch may have moved the item to another meanwhile.
  DELETE FROM billing.subscription_items AS stored USING superseded
  WHERE stored.id = superseded.id AND stored.subscription_id = superseded.subscription_id
    -- Usually nothing is: the plan of an empty table, which would read a full one, is then not run at all.
    AND EXISTS (SELECT FROM superseded)
)
INSERT INTO billing.subscription_items (${ITEM_NAMES.join(', ')})
SELECT ${ITEM_NAMES.join(', ')} FROM incoming
WHERE NOT coalesce((SELECT ${itemOf('stored')} IS NOT DISTINCT FROM ${itemOf('incoming')}
                    FROM billing.subscription_items AS stored WHERE stored.id = incoming.id), false)
ON CONFLICT (id) DO UPDATE SET
  ${assignments(ITEM_NAMES.slice(1))}`,
};

/** Adds the facts that are not known; a known one says the same. */
export const RECORD_REFUNDS: RowsStatement<typeof REFUND_ENTRY_COLUMNS> = {
  name: 'record_refunds',
  columns: REFUND_ENTRY_COLUMNS,
  text: `
INSERT INTO billing.refund_ledger (${namesOf(REFUND_ENTRY_COLUMNS)})
SELECT ${castColumns(REFUND_ENTRY_COLUMNS)} FROM ${incomingTable(REFUND_ENTRY_COLUMNS)}
ON CONFLICT (entry) DO NOTHING`,
};

/** Events of the ledger with their payloads, to find out which of one second came last. $1: provider, $2: their ids. */
export const LOAD_EVENTS: Statement = {
  name: 'load_events',
  text: `
SELECT payload FROM billing.webhook_events AS event
WHERE event.provider = $1::text AND event.id = ANY ($2::text[])`,
};

/**
 * Asks for objects to be read from the provider again soon; once for each object while it is pending.
 *
 * After the rows: the provider.
 */
export const REQUEST_REFRESHES: RowsStatement<typeof REFRESH_COLUMNS> = {
  name: 'request_refreshes',
  columns: REFRESH_COLUMNS,
  text: `
INSERT INTO billing.object_refreshes AS pending (provider, ${namesOf(REFRESH_COLUMNS)})
SELECT $${Object.keys(REFRESH_COLUMNS).length + 1}::text, ${castColumns(REFRESH_COLUMNS)}
FROM ${incomingTable(REFRESH_COLUMNS)}
ON CONFLICT (provider, object_kind, object_id) WHERE done_at IS NULL
DO UPDATE SET requests = pending.requests + 1`,
};

/**
 * Serialises the transactions that touch the same connected accounts: of an account and a restriction of it, which are rows
 * of different tables, the later transaction has to see both. Runs before either is stored, so that nothing waits for a row
 * while it has the lock; released by the commit. Returns no rows.
 */
export const LOCK_ACCOUNTS: RowsStatement<typeof ACCOUNT_ID_COLUMNS> = {
  name: 'lock_accounts',
  columns: ACCOUNT_ID_COLUMNS,
  text: `
WITH keys AS (
  SELECT DISTINCT hashtextextended('account:' || id, 0) AS key FROM ${incomingTable(ACCOUNT_ID_COLUMNS)} ORDER BY key
), locked AS (
  SELECT count(pg_advisory_xact_lock(key)) AS accounts FROM keys
)
SELECT NULL::text AS id FROM locked WHERE accounts < 0`,
};

/**
 * An account is restricted by what its object says, or by what happened to it since: the platform was removed from it, or it
 * lost a capability. An object that is newer says so itself. Versions are compared up to the second.
 *
 * Only rows that are there are selected, so that each is in conflict with itself: an upsert finds it by its key, where an
 * update would read the whole table to join it.
 */
export const RESTRICT_ACCOUNTS: RowsStatement<typeof ACCOUNT_ID_COLUMNS> = {
  name: 'restrict_accounts',
  columns: ACCOUNT_ID_COLUMNS,
  text: `
INSERT INTO billing.connect_accounts AS stored
  (id, charges_enabled, payouts_enabled, details_submitted, requirements_due, version, raw, restriction, restricted)
SELECT found.id, false, false, false, '{}', '', '{}', restriction.cause,
  found.restricted OR restriction.cause IS NOT NULL
FROM ${incomingTable(ACCOUNT_ID_COLUMNS)}
CROSS JOIN LATERAL (
  SELECT account.id, coalesce(account.account_restricted, account.restricted) AS restricted, account.version
  FROM billing.connect_accounts AS account WHERE account.id = incoming.id OFFSET 0) AS found
LEFT JOIN LATERAL (
  SELECT restriction.cause FROM billing.account_restrictions AS restriction
  WHERE restriction.account_id = found.id AND restriction.active
    AND split_part(restriction.version, ':', 2) >= split_part(found.version, ':', 2)
  ORDER BY restriction.cause LIMIT 1) AS restriction ON true
ORDER BY found.id
ON CONFLICT (id) DO UPDATE SET restriction = excluded.restriction, restricted = excluded.restricted
WHERE (stored.restriction, stored.restricted) IS DISTINCT FROM (excluded.restriction, excluded.restricted)`,
};
