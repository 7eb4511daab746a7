import type { ClientBase } from 'pg';
import type { ProviderName } from '../../core/providers/contract';
import { STRIPE } from '../../core/providers/stripe/name';
import type { Lane } from '../../core/providers/stripe/pages';
import type { StoredRows } from './compare';
import { BILLED_PARTS } from './billed';
import { COMPARED_ITEM_COLUMNS, type ComparedState, type Finding, type StoredRow } from './differences';
import { COMPARED_COLUMNS, tableOf, type ComparedKind } from './kinds';

/** @param corrected ids of the objects that were brought in line */
export async function recordFindings(
  client: ClientBase,
  runId: string,
  findings: readonly Finding[],
  corrected: ReadonlySet<string>,
): Promise<void> {
  if (findings.length === 0) return;
  const rows = findings.map((finding) => ({
    kind: finding.kind,
    object_type: finding.objectType,
    object_id: finding.objectId,
    field: finding.field ?? null,
    local_value: finding.localValue ?? null,
    stripe_value: finding.stripeValue ?? null,
    corrected: corrected.has(finding.objectId),
  }));
  await client.query(
    `INSERT INTO billing.reconciliation_findings
       (run_id, kind, object_type, object_id, field, local_value, stripe_value, corrected)
     SELECT $1, kind, object_type, object_id, field, local_value, stripe_value, corrected
     FROM json_to_recordset($2::json) AS finding (kind text, object_type text, object_id text, field text,
       local_value text, stripe_value text, corrected boolean)`,
    [runId, JSON.stringify(rows)],
  );
}

/** Ids of the given events that the ledger does not have. */
export async function unknownEvents(
  client: ClientBase,
  ids: readonly string[],
  provider: ProviderName = STRIPE,
): Promise<Set<string>> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM unnest($1::text[]) AS listed (id)
     WHERE NOT EXISTS (SELECT FROM billing.webhook_events AS known WHERE known.provider = $2 AND known.id = listed.id)`,
    [ids, provider],
  );
  return new Set(rows.map(({ id }) => id));
}

/** JSON has no times: they are written as `Date.toISOString` writes them. */
const ITEM_VALUES = COMPARED_ITEM_COLUMNS.map((column) =>
  column.startsWith('current_period_')
    ? `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"') AS ${column}`
    : column,
);
const ITEMS = `
  (SELECT json_agg(item) FROM (
     SELECT ${ITEM_VALUES.join(', ')}
     FROM billing.subscription_items WHERE subscription_id = object.id) AS item) AS items`;

/** What is compared besides columns. */
const PARTS: Partial<Record<ComparedKind, string>> = { subscription: ITEMS, invoice: `${BILLED_PARTS} AS billed` };

/** Whether the object was of somebody who was erased. */
const ERASED = 'EXISTS (SELECT FROM billing.erased_objects AS erased WHERE erased.id = object.id) AS erased';

/** What the database has of the given objects; only the compared columns, because the raw objects are large. */
export async function storedRows(client: ClientBase, states: readonly ComparedState[]): Promise<StoredRows> {
  const stored = new Map<ComparedKind, Map<string, StoredRow>>();
  for (const [kind, ofKind] of Map.groupBy(states, (state) => state.kind)) {
    const columns = ['id', 'version', ...COMPARED_COLUMNS[kind], ...[PARTS[kind] ?? []].flat(), ERASED];
    const { rows } = await client.query<StoredRow>(
      `SELECT ${columns.join(', ')} FROM ${tableOf(kind)} AS object WHERE id = ANY ($1::text[])`,
      [ofKind.map(({ row }) => row.id)],
    );
    stored.set(kind, new Map(rows.map((row) => [row.id, row])));
  }
  return stored;
}

/** One lane reads fewer subscriptions than this, which are a few pages, soon enough. */
const FEWEST_PER_LANE = 1_000;
/**
 * One lane reads no faster than Stripe answers: 100,000 subscriptions at 400 ms a page take 7 minutes. Four lanes reach the
 * rate limit of 25 calls a second where a page takes up to 160 ms, and each adds at most one call.
 */
const MAX_LANES = 4;

/**
 * Lanes of about equally many subscriptions each, by the creation times of those in the database. Together they cover all
 * times.
 *
 * @param endAtSeconds end of the last lane, in seconds since 1970
 */
export async function subscriptionLanes(client: ClientBase, endAtSeconds: number): Promise<Lane[]> {
  const { rows } = await client.query<{ bound: string }>(
    `WITH sized AS (
       SELECT least($1, greatest(1, count(*) / $2))::int AS lanes FROM billing.subscriptions
     ), bounds AS (
       SELECT percentile_disc(ARRAY(SELECT lane::float8 / lanes FROM generate_series(1, lanes - 1) AS lane))
                WITHIN GROUP (ORDER BY created_at) AS times
       FROM billing.subscriptions, sized GROUP BY lanes
     )
     SELECT DISTINCT floor(extract(epoch FROM time))::bigint AS bound FROM bounds, unnest(times) AS time ORDER BY bound`,
    [MAX_LANES, FEWEST_PER_LANE],
  );
  const bounds = rows.map(({ bound }) => Number(bound)).filter((bound) => bound < endAtSeconds);
  return [...bounds, endAtSeconds].map((lt, index) => ({ created: { gte: bounds[index - 1], lt } }));
}
