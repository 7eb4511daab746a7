import type { ClientBase } from 'pg';
import { STRIPE } from '../../core/providers/stripe/name';
import type { RunStatement, Statement } from '../../core/database/transaction';

/** A refresh that is to be made. */
export interface Refresh {
  /** Id of the row in `billing.object_refreshes`; undefined for an object that was named in the request. */
  readonly rowId?: string;
  readonly kind: string;
  readonly objectId: string;
  /** Connected account that has the object; null for the platform's own. */
  readonly account: string | null;
  /** How often it had been asked for when it was read; see {@link MARK_DONE}. */
  readonly requests?: number;
}

interface PendingRow {
  readonly id: string;
  readonly object_kind: string;
  readonly object_id: string;
  readonly account: string | null;
  readonly requests: number;
}

/**
 * Asks for payouts that should have arrived a day ago and are under way for all that is known: no list of the platform's own
 * has the events about them. Each is asked for again six hours after it was read.
 */
export async function requestLatePayouts(client: ClientBase, now: Date): Promise<void> {
  await client.query(
    `INSERT INTO billing.object_refreshes (provider, object_kind, object_id, account, reason)
     SELECT $1, 'payout', payout.id, payout.account_id, 'payout_late' FROM billing.payouts AS payout
     WHERE payout.status IN ('pending', 'in_transit') AND payout.arrives_at < $2::timestamptz - interval '1 day'
       AND NOT EXISTS (
         SELECT FROM billing.object_refreshes AS known
         WHERE known.provider = $1 AND known.object_kind = 'payout' AND known.object_id = payout.id
           AND (known.done_at IS NULL OR known.done_at > $2::timestamptz - interval '6 hours'))
     ORDER BY payout.arrives_at LIMIT 100
     ON CONFLICT DO NOTHING`,
    [STRIPE, now],
  );
}

/** The connected account that is paid out by a payout; null for the platform's own, or an unknown one. */
export async function accountOfPayout(client: ClientBase, id: string): Promise<string | null> {
  const { rows } = await client.query<{ account_id: string | null }>(
    'SELECT account_id FROM billing.payouts WHERE id = $1',
    [id],
  );
  return rows[0]?.account_id ?? null;
}

/**
 * Refreshes whose time has come, oldest first. After each failed attempt the next one is due twice as long after the
 * request: at once, then a minute, three, seven minutes later, … so that what always fails costs the others nothing.
 *
 * @param afterId row of the last refresh of the page before; `'0'` for the first page
 */
export async function dueRefreshes(
  client: ClientBase,
  { now, afterId, limit }: { readonly now: Date; readonly afterId: string; readonly limit: number },
): Promise<Required<Refresh>[]> {
  const { rows } = await client.query<PendingRow>(
    `SELECT id, object_kind, object_id, account, requests FROM billing.object_refreshes
     WHERE done_at IS NULL AND provider = $1 AND id > $2
       AND requested_at + interval '1 minute' * (2 ^ least(attempts, 20) - 1) <= $3
     ORDER BY id LIMIT $4`,
    [STRIPE, afterId, now, limit],
  );
  return rows.map(({ id, object_kind: kind, object_id: objectId, account, requests }) => ({
    rowId: id,
    kind,
    objectId,
    account,
    requests,
  }));
}

/** The pending refresh of one object, due or not; `undefined` when there is none. */
export async function pendingRefresh(
  client: ClientBase,
  kind: string,
  objectId: string,
): Promise<Required<Refresh> | undefined> {
  const { rows } = await client.query<PendingRow>(
    `SELECT id, object_kind, object_id, account, requests FROM billing.object_refreshes
     WHERE done_at IS NULL AND provider = $1 AND object_kind = $2 AND object_id = $3`,
    [STRIPE, kind, objectId],
  );
  const [row] = rows;
  return row && { rowId: row.id, kind, objectId, account: row.account, requests: row.requests };
}

/** Number of refreshes that are not done. */
export async function countPending(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ pending: number }>(
    `SELECT count(*)::int AS pending FROM billing.object_refreshes WHERE done_at IS NULL AND provider = $1`,
    [STRIPE],
  );
  return rows[0]?.pending ?? 0;
}

/**
 * $1: row, $2: how often it had been asked for before the object was read, $3: a remark. One that was asked for again
 * meanwhile stays pending: what made it so may be newer than what was read.
 */
const MARK_DONE: Statement = {
  name: 'mark_refresh_done',
  text: `
UPDATE billing.object_refreshes SET done_at = now(), attempts = attempts + 1, last_error = $3
WHERE id = $1 AND requests = $2`,
};

/** In the transaction that stores the object. */
export async function markDone(run: RunStatement, { rowId, requests }: Refresh, remark: string | null): Promise<void> {
  if (rowId !== undefined) await run(MARK_DONE, [rowId, requests, remark]);
}

/** Its next attempt is due later; see {@link dueRefreshes}. */
export async function recordFailure(client: ClientBase, { rowId }: Refresh, error: string): Promise<void> {
  if (rowId === undefined) return;
  await client.query(
    'UPDATE billing.object_refreshes SET attempts = attempts + 1, last_error = $2 WHERE id = $1 AND done_at IS NULL',
    [rowId, error],
  );
}
