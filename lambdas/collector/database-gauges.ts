import type { ClientBase } from 'pg';
import { type DatabaseName, maintenancePeriods } from '../../core/contract';
import { OperationError } from '../../core/runtime/errors';

/**
 * Time of the first migration of the database. Backups, drills and reconciliations are due from then on: the age of one
 * that never happened is counted from here, so that a new environment has its first month, and no more.
 *
 * @throws OperationError `unmigrated_database`
 */
export async function madeAt(client: ClientBase): Promise<Date> {
  const table = await client.query<{ present: boolean }>(
    `SELECT to_regclass('operations.database_identity') IS NOT NULL AS present`,
  );
  const identity = table.rows[0]?.present
    ? await client.query<{ stamped_at: Date }>('SELECT stamped_at FROM operations.database_identity')
    : undefined;
  const stampedAt = identity?.rows[0]?.stamped_at;
  if (stampedAt) return stampedAt;
  throw new OperationError('unmigrated_database', 'The database carries no identity: apply its migrations first');
}

/**
 * Beginning of the last drill that proved its archive, or the time of the first migration.
 *
 * @throws OperationError `unmigrated_database`
 */
export async function lastDrill(client: ClientBase): Promise<Date> {
  const made = await madeAt(client);
  const { rows } = await client.query<{ at: Date | null }>(
    `SELECT max(started_at) AS at FROM operations.drills WHERE outcome IN ('passed', 'slow')`,
  );
  return rows[0]?.at ?? made;
}

/**
 * Beginning of the last reconciliation that was complete and corrected what it found, or the time of the first
 * migration. Not its end: it has not seen what changed while it ran.
 *
 * @throws OperationError `unmigrated_database`
 */
export async function lastReconciliation(client: ClientBase): Promise<Date> {
  const made = await madeAt(client);
  const { rows } = await client.query<{ at: Date | null }>(
    `SELECT max(started_at) AS at FROM billing.reconciliation_runs WHERE status = 'complete' AND NOT dry_run`,
  );
  return rows[0]?.at ?? made;
}

/**
 * Seconds by which the oldest event that cleanup should have deleted is past its retention; 0 when there is none. The
 * cleanup function's rule: an event is old when it happened and was settled that long ago; failed ones stay.
 *
 * @throws OperationError `unmigrated_database`
 */
export async function cleanupOverdueSeconds(client: ClientBase, retentionDays: number, now: Date): Promise<number> {
  await madeAt(client);
  const due = new Date(now.getTime() - retentionDays * 86_400_000);
  const { rows } = await client.query<{ oldest: Date | null }>(
    `SELECT min(greatest(occurred_at, processed_at)) AS oldest FROM billing.webhook_events
     WHERE occurred_at < $1 AND processed_at < $1
       AND status IN ('processed', 'ignored', 'dismissed')`,
    [due],
  );
  const oldest = rows[0]?.oldest;
  return oldest ? Math.round((due.getTime() - oldest.getTime()) / 1000) : 0;
}

/**
 * Seconds by which the task of maintenance that is most overdue is late; 0 when none is. A task that left something out has run:
 * the monthly report says what.
 */
export async function maintenanceOverdueSeconds(
  client: ClientBase,
  database: DatabaseName,
  now: Date,
): Promise<number> {
  const made = await madeAt(client);
  const { rows } = await client.query<{ task: string; at: Date }>(
    `SELECT task, max(started_at) AS at FROM operations.maintenance_runs WHERE outcome IN ('done', 'partial') GROUP BY task`,
  );
  const late = maintenancePeriods(database).map(([task, days]) => {
    const last = rows.find((row) => row.task === task)?.at ?? made;
    return Math.round((now.getTime() - last.getTime()) / 1000) - days * 86_400;
  });
  return Math.max(0, ...late);
}
