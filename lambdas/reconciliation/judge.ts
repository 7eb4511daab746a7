import { DatabaseError, type ClientBase } from 'pg';
import type { ObjectState } from '../../core/billing/object-state';
import { storeStates } from '../../core/billing/store-states';
import { versionKey } from '../../core/billing/version';
import { runInOrder } from '../../core/database/transaction';
import { LINK_DISPUTES } from '../../core/entitlements/statements';
import type { Evidence, Source } from './evidence';

/** Larger than the version of every stored state. */
const NEWEST = versionKey({ progress: Number.MAX_SAFE_INTEGER, moment: 0, rank: 0, eventId: '' });

/** SQLSTATEs: a lock was not to be had in time, or would never have been. */
const BUSY = new Set(['55P03', '40P01']);

/** What a source grants: each as `user|project|feature|from|until`, sorted. */
export type Grants = readonly string[];

export interface Judgement {
  readonly stored: Grants;
  /** By what Stripe has, and by nothing else that the database has of the source. */
  readonly byStripe: Grants;
}

/**
 * Computes what a source grants from Stripe's objects alone: in a transaction that is rolled back, they take the place of
 * every row of the source, whatever its version, and rows that Stripe does not have are deleted. The rules are those of the
 * database. Of the ledger, only the first failed payment of an invoice counts: Stripe does not tell it after 30 days.
 *
 * @returns `undefined` when a row is newer than the evidence, which then proves nothing, or is being changed just now
 */
export async function judge(client: ClientBase, source: Source, evidence: Evidence): Promise<Judgement | undefined> {
  await client.query('BEGIN');
  try {
    // The rows are locked until the rollback. A batch of events that holds them is not worth waiting for, nor delaying.
    await client.query(`SET LOCAL lock_timeout = '5s'`);
    if (await hasNewerRows(client, source, evidence)) return undefined;
    const stored = await grantsIn(client, 'entitlements', source.id);
    await replaceRows(client, source, evidence.states);
    return { stored, byStripe: await grantsIn(client, 'entitlement_grants', source.id) };
  } catch (error) {
    if (error instanceof DatabaseError && BUSY.has(error.code ?? '')) return undefined;
    throw error;
  } finally {
    await client.query('ROLLBACK');
  }
}

/** What the database says that a source grants. */
export function storedGrants(client: ClientBase, sourceId: string): Promise<Grants> {
  return grantsIn(client, 'entitlements', sourceId);
}

async function grantsIn(
  client: ClientBase,
  relation: 'entitlements' | 'entitlement_grants',
  sourceId: string,
): Promise<Grants> {
  const { rows } = await client.query<{ line: string }>(
    `SELECT concat_ws('|', user_id, project_id, feature, extract(epoch FROM valid_from)::bigint,
                      coalesce(extract(epoch FROM valid_until)::bigint::text, 'forever')) AS line
     FROM billing.${relation} WHERE source_id = $1 ORDER BY line`,
    [sourceId],
  );
  return rows.map(({ line }) => line);
}

async function hasNewerRows(client: ClientBase, { id }: Source, evidence: Evidence): Promise<boolean> {
  const { customerId, paymentIntentId, requestedAtSeconds } = evidence;
  const { rows } = await client.query<{ newest: string | null }>(
    `SELECT max(split_part(version, ':', 2)) AS newest FROM (
       SELECT version FROM billing.subscriptions WHERE id = $1
       UNION ALL SELECT version FROM billing.invoices WHERE subscription_id = $1
       UNION ALL SELECT version FROM billing.purchases WHERE id = $1 OR subscription_id = $1
       UNION ALL SELECT version FROM billing.customers WHERE id = $2
       UNION ALL SELECT version FROM billing.charges WHERE payment_intent_id = $3
       UNION ALL SELECT version FROM billing.disputes WHERE payment_intent_id = $3
     ) AS row`,
    [id, customerId, paymentIntentId],
  );
  return Number(rows[0]?.newest ?? 0) >= requestedAtSeconds;
}

async function replaceRows(client: ClientBase, { kind, id }: Source, states: readonly ObjectState[]): Promise<void> {
  const run = runInOrder(client);
  const newest = states.map((state) => ({ ...state, row: { ...state.row, version: NEWEST } }) as ObjectState);
  await storeStates(run, newest);
  const idsOf = (wanted: ObjectState['kind']) =>
    states.filter((state) => state.kind === wanted).map(({ row }) => row.id);
  if (kind === 'subscription') {
    for (const [table, of] of [
      ['invoices', 'invoice'],
      ['purchases', 'purchase'],
    ] as const) {
      await client.query(`DELETE FROM billing.${table} WHERE subscription_id = $1 AND id <> ALL ($2::text[])`, [
        id,
        idsOf(of),
      ]);
    }
  }
  await run(LINK_DISPUTES, [[...idsOf('invoice'), ...idsOf('dispute')]]);
}
