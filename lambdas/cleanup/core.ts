import type { ClientBase } from 'pg';
import type { Log } from '../../core/runtime/telemetry';

/** Events deleted in one transaction. Higher holds its locks longer; lower takes more round trips. */
const BATCH_SIZE = 1_000;

export interface CleanupDependencies {
  readonly client: ClientBase;
  readonly clock: () => Date;
  /** Milliseconds that are left to the run. */
  readonly remainingMs: () => number;
  readonly log: Log;
}

export interface CleanupOptions {
  readonly retentionDays: number;
  /** Count, but delete nothing. */
  readonly dryRun: boolean;
}

export interface CleanupSummary {
  /** Events that were deleted, or would be in a dry run. */
  readonly deleted: number;
  readonly dryRun: boolean;
  /** False when the time ran out; the next run goes on where this one stopped. */
  readonly complete: boolean;
  /** Events that occurred before this moment were deleted. */
  readonly before: string;
  readonly durationMs: number;
}

/** What is left of the time for the answer when the last batch was deleted. */
const RESERVE_MS = 10_000;
const DAY_MS = 86_400_000;

/**
 * An event is old when it happened and was processed before the moment: one that was replayed yesterday is kept, however
 * long ago it happened. `occurred_at` is what is indexed.
 */
const OLD_EVENTS = `FROM billing.webhook_events WHERE occurred_at < $1 AND processed_at < $1 AND status = 'processed'`;

/**
 * Deletes processed events from the ledger that are older than the retention, in batches. Failed ones, and any that were
 * not processed, stay for ever: somebody has to look at them.
 */
export async function cleanUp(
  { client, clock, remainingMs, log }: CleanupDependencies,
  { retentionDays, dryRun }: CleanupOptions,
): Promise<CleanupSummary> {
  const started = clock();
  const before = new Date(started.getTime() - retentionDays * DAY_MS);
  let deleted = 0;
  let complete = true;
  if (dryRun) {
    const { rows } = await client.query<{ events: number }>(`SELECT count(*)::int AS events ${OLD_EVENTS}`, [before]);
    deleted = rows[0]?.events ?? 0;
  } else {
    for (let batch = BATCH_SIZE; batch === BATCH_SIZE;) {
      if (remainingMs() < RESERVE_MS) {
        log.warn('The time ran out before every old event was deleted; the next run goes on', { deleted });
        complete = false;
        break;
      }
      batch = await deleteBatch(client, before);
      deleted += batch;
    }
  }
  const durationMs = clock().getTime() - started.getTime();
  return { deleted, dryRun, complete, before: before.toISOString(), durationMs };
}

/** Skips what another transaction works on; the next run finds it. @returns how many were deleted */
async function deleteBatch(client: ClientBase, before: Date): Promise<number> {
  const { rowCount } = await client.query(
    `DELETE FROM billing.webhook_events WHERE (provider, id) IN (
       SELECT provider, id ${OLD_EVENTS} ORDER BY occurred_at LIMIT ${BATCH_SIZE} FOR UPDATE SKIP LOCKED)`,
    [before],
  );
  return rowCount ?? 0;
}
