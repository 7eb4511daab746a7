import type { ClientBase } from 'pg';
import { KINDS, tableOf, type ComparedKind } from './kinds';
import type { ListedObjectIds } from './page-outcome';
import type { Run } from './run';

/** Keeps the ids of objects that Stripe showed until the run ends. */
export async function rememberListed(
  client: ClientBase,
  runId: string,
  listed: readonly ListedObjectIds[],
): Promise<void> {
  for (const { kind, ids } of listed) {
    if (ids.length === 0) continue;
    await client.query(
      `INSERT INTO billing.reconciliation_listed_objects (run_id, kind, object_id)
       SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING`,
      [runId, kind, ids],
    );
  }
}

export async function forgetListed(client: ClientBase, runId: string): Promise<void> {
  await client.query('DELETE FROM billing.reconciliation_listed_objects WHERE run_id = $1', [runId]);
}

const NOT_LISTED = `NOT EXISTS (
  SELECT FROM billing.reconciliation_listed_objects AS listed
  WHERE listed.run_id = $1 AND listed.kind = $2 AND listed.object_id = object.id)`;

/** Rows of Stripe's: ids of another provider begin with its name and a colon, those of purchases in bitcoin with `btc_`. */
export const OF_STRIPE = String.raw`id NOT LIKE '%:%' AND id NOT LIKE 'btc\_%'`;

/** Ids of the rows that Stripe's lists should have shown and did not, in their order. */
export async function unlistedIds({ client, id, window }: Run, kind: ComparedKind): Promise<string[]> {
  const { history = 'window', unlisted = 'false' } = KINDS[kind];
  const { startAtSeconds: gte, endAtSeconds: lt, slice = { gte: lt, lt } } = window;
  const selected = `SELECT id FROM ${tableOf(kind)} WHERE ${OF_STRIPE} AND NOT coalesce(${unlisted}, false)`;
  const [rows, times] =
    history === 'whole'
      ? [`${selected} AND coalesce(created_at < $3, true)`, [lt]]
      : [
          // Two ranges that an index finds, and not one condition for both.
          `${selected} AND created_at >= $3 AND created_at < $4
           UNION ${selected} AND created_at >= $5 AND created_at < $6`,
          [gte, lt, slice.gte, slice.lt],
        ];
  return idsOf(client, `SELECT object.id FROM (${rows}) AS object WHERE ${NOT_LISTED} ORDER BY object.id`, [
    id,
    kind,
    ...times.map(timeOf),
  ]);
}

/**
 * Days before the window in which rows are looked for that may still change: as long as a dispute takes and an invoice may be
 * due. More reads more of the tables on every run; fewer leaves an old open invoice to the older slices.
 */
const UNSETTLED_DAYS = 120;

/** Ids of the rows from before the window that may still change and were not listed, in their order. */
export async function unsettledIds({ client, id, window }: Run, kind: ComparedKind): Promise<string[]> {
  const { unsettled } = KINDS[kind];
  if (unsettled === undefined) return [];
  const { startAtSeconds } = window;
  return idsOf(
    client,
    `SELECT object.id FROM ${tableOf(kind)} AS object
     WHERE created_at >= $3 AND created_at < $4 AND ${OF_STRIPE} AND (${unsettled}) AND ${NOT_LISTED} ORDER BY object.id`,
    [id, kind, timeOf(startAtSeconds - UNSETTLED_DAYS * 86_400), timeOf(startAtSeconds)],
  );
}

/** The test clocks that some of the given objects belong to, and the ids of those objects. */
export async function testClocksOf(
  client: ClientBase,
  kind: ComparedKind,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map();
  // The clock of a subscription or a customer is its own; everything else is a customer's.
  const clock =
    kind === 'subscription' || kind === 'customer'
      ? `raw ->> 'test_clock'`
      : `(SELECT customer.raw ->> 'test_clock' FROM billing.customers AS customer WHERE customer.id = object.raw ->> 'customer')`;
  const { rows } = await client.query<{ id: string; clock: string }>(
    `SELECT id, clock FROM (
       SELECT id, ${clock} AS clock FROM ${tableOf(kind)} AS object WHERE id = ANY ($1::text[])
     ) AS clocked WHERE clock IS NOT NULL`,
    [ids],
  );
  return new Map(rows.map((row) => [row.id, row.clock]));
}

/**
 * The part of the ids whose turn it is: those behind the part of the last complete run, and from the first one again behind
 * the last. All of them have their turn, however many there are.
 *
 * @param size most ids of a part
 * @param what the ids are of
 */
export function takeTurn({ turns, taken }: Run, what: string, ids: readonly string[], size: number): string[] {
  const last = turns.ids[what] ?? '';
  const sorted = ids.toSorted();
  const part = [...sorted.filter((id) => id > last), ...sorted.filter((id) => id <= last)].slice(0, size);
  const end = part.at(-1);
  if (end !== undefined) taken.set(what, end);
  return part;
}

const timeOf = (seconds: number) => new Date(seconds * 1000).toISOString();

async function idsOf(client: ClientBase, text: string, values: unknown[]): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(text, values);
  return rows.map(({ id }) => id);
}
