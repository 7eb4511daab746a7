import type { ClientBase } from 'pg';
import { recordSuccess } from '../../core/database/job-success';
import { CANARY_EVENT } from '../../core/providers/contract';
import type { Log } from '../../core/runtime/telemetry';
import type { CleanupReport } from './contract';

/** Events deleted in one transaction. Higher holds locks longer; lower takes more round trips. */
const BATCH_SIZE = 1_000;

export interface CleanupDependencies {
  readonly client: ClientBase;
  readonly clock: () => Date;
  /** Milliseconds that are left for deleting; negative when the time is up. */
  readonly remainingMs: () => number;
  readonly log: Log;
}

export interface CleanupOptions {
  readonly retentionDays: number;
  /** Count, but delete nothing. */
  readonly dryRun: boolean;
}

const DAY_MS = 86_400_000;

/** Days that a refresh that is done stays on record: what is read again how often shows in a month. */
const REFRESH_RETENTION_DAYS = 30;

/**
 * An event is old when it both occurred and was processed before the moment: an old event that was replayed yesterday is
 * kept. `occurred_at` is the indexed column.
 */
const OLD_EVENTS = `FROM billing.webhook_events WHERE occurred_at < $1 AND processed_at < $1
  AND status IN ('processed', 'ignored', 'dismissed')`;

/** Days that the platform's own events stay, to look at what a failed check left behind. */
const CANARY_RETENTION_DAYS = 7;

/**
 * Deletes settled events from the ledger that are older than the retention, in batches: processed, ignored and dismissed
 * ones. Failed events, and any other that is open, stay until an operator has dealt with them.
 */
export async function cleanUp(
  { client, clock, remainingMs, log }: CleanupDependencies,
  { retentionDays, dryRun }: CleanupOptions,
): Promise<CleanupReport> {
  const started = clock();
  const before = new Date(started.getTime() - retentionDays * DAY_MS);
  let deleted = 0;
  let complete = true;
  if (dryRun) {
    const { rows } = await client.query<{ events: number }>(`SELECT count(*)::int AS events ${OLD_EVENTS}`, [before]);
    deleted = rows[0]?.events ?? 0;
  } else {
    for (let batch = BATCH_SIZE; batch === BATCH_SIZE;) {
      if (remainingMs() <= 0) {
        log.warn('The time ran out before every old event was deleted; the next run continues', { deleted });
        complete = false;
        break;
      }
      batch = await deleteBatch(client, before);
      deleted += batch;
    }
    await deleteCanaries({ client, log }, new Date(started.getTime() - CANARY_RETENTION_DAYS * DAY_MS));
    await deleteRefreshes({ client, log }, new Date(started.getTime() - REFRESH_RETENTION_DAYS * DAY_MS));
    if (complete) await recordSuccess(client, 'cleanup', clock(), log);
  }
  const durationMs = clock().getTime() - started.getTime();
  return { deleted, dryRun, complete, before: before.toISOString(), durationMs };
}

/** Of refreshes that are done, which are few beside events. Pending ones stay, however old. */
async function deleteRefreshes(
  { client, log }: Pick<CleanupDependencies, 'client' | 'log'>,
  before: Date,
): Promise<void> {
  const { rowCount } = await client.query('DELETE FROM billing.object_refreshes WHERE done_at < $1', [before]);
  if (rowCount) log.info('Records of refreshes were deleted', { refreshes: rowCount });
}

/** By the range of their ids, which the key of the ledger has in its index. */
async function deleteCanaries(
  { client, log }: Pick<CleanupDependencies, 'client' | 'log'>,
  before: Date,
): Promise<void> {
  const { type, idPrefix } = CANARY_EVENT;
  const { rowCount } = await client.query(
    `DELETE FROM billing.webhook_events
     WHERE provider = 'stripe' AND id > $1 AND id < $2 AND type = $3 AND occurred_at < $4`,
    [`${idPrefix}0`, `${idPrefix}a`, type, before],
  );
  if (rowCount) log.info('Events of the canary were deleted', { events: rowCount });
}

/** Skips rows that another transaction has locked; the next run finds them. @returns how many were deleted */
async function deleteBatch(client: ClientBase, before: Date): Promise<number> {
  const { rowCount } = await client.query(
    `DELETE FROM billing.webhook_events WHERE (provider, id) IN (
       SELECT provider, id ${OLD_EVENTS} ORDER BY occurred_at LIMIT ${BATCH_SIZE} FOR UPDATE SKIP LOCKED)`,
    [before],
  );
  return rowCount ?? 0;
}
