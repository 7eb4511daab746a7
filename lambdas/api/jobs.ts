import type { ClientBase } from 'pg';
import * as z from 'zod';
import { DRILL_LIMIT_DAYS, RECONCILIATION_LIMIT_HOURS } from '../../core/contract';
import { CANARY_EVENT } from '../../core/providers/contract';
import { messageOf } from '../../core/runtime/errors';
import type { ApiDependencies } from './dependencies';

export interface Job {
  readonly job: string;
  readonly status: 'ok' | 'late' | 'unknown';
  /** ISO time; null for none. */
  readonly lastSuccess: string | null;
  readonly ageSeconds: number | null;
  readonly limitSeconds: number;
}

/** Milliseconds that an answer is kept: anybody may ask, and archives are looked up in S3. */
const KEPT_MS = 60_000;
const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
/** Three canaries in a row that did not arrive. */
const CANARY_LIMIT_SECONDS = 20 * 60;

/** What is read of the answer of `inspect`. */
const status = z.object({
  databases: z.array(
    z.object({
      database: z.string(),
      newestArchive: z.string().nullable(),
      archiveLimitSeconds: z.number(),
      lastDrill: z.object({ startedAt: z.string(), outcome: z.string() }).nullable(),
    }),
  ),
  problems: z.array(z.string()),
});

/** @returns what answers when each job last succeeded, at most a minute old. It never throws */
export function createJobReader(dependencies: ApiDependencies): () => Promise<readonly Job[]> {
  let kept: { readonly at: number; readonly jobs: Promise<readonly Job[]> } | undefined;
  return () => {
    const now = dependencies.clock().getTime();
    if (kept === undefined || now - kept.at >= KEPT_MS) kept = { at: now, jobs: readJobs(dependencies) };
    return kept.jobs;
  };
}

async function readJobs(dependencies: ApiDependencies): Promise<readonly Job[]> {
  const { database, ask, hasCanary, clock, log } = dependencies;
  const attempt = <T>(what: Promise<T>): Promise<T | undefined> =>
    what.catch((error: unknown) => {
      log.warn('When jobs succeeded could not be looked up', { reason: messageOf(error) });
      return undefined;
    });
  const [ledger, report] = await Promise.all([
    attempt(database.use(readLedger)),
    attempt(ask('inspect', { action: 'status' }).then((answer) => status.parse(answer))),
  ]);
  const now = clock().getTime();
  return [
    job('reconciliation', ledger && ledger.reconciliation, RECONCILIATION_LIMIT_HOURS * HOUR_SECONDS, now),
    ...(hasCanary ? [job('canary', ledger && ledger.canary, CANARY_LIMIT_SECONDS, now)] : []),
    ...(report?.databases ?? []).flatMap(({ database: name, newestArchive, archiveLimitSeconds, lastDrill }) => {
      // What could not be looked up is null, too, and named among the problems.
      const known = (subject: string) => !report?.problems.some((problem) => problem.startsWith(`${subject}: `));
      const proven = lastDrill !== null && ['passed', 'slow'].includes(lastDrill.outcome) ? lastDrill.startedAt : null;
      return [
        job(`backup-${name}`, known(`archives of ${name}`) ? newestArchive : undefined, archiveLimitSeconds, now),
        job(`drill-${name}`, known(name) ? proven : undefined, DRILL_LIMIT_DAYS * DAY_SECONDS, now),
      ];
    }),
    ...(report === undefined ? [job('backup', undefined, 0, now), job('drill', undefined, 0, now)] : []),
  ];
}

/** @param lastSuccess ISO time; null for none, undefined where it could not be looked up */
function job(name: string, lastSuccess: string | null | undefined, limitSeconds: number, now: number): Job {
  const ageSeconds = lastSuccess ? Math.max(0, Math.round((now - Date.parse(lastSuccess)) / 1_000)) : null;
  const isLate = ageSeconds === null || ageSeconds > limitSeconds;
  return {
    job: name,
    status: lastSuccess === undefined ? 'unknown' : isLate ? 'late' : 'ok',
    lastSuccess: lastSuccess ?? null,
    ageSeconds,
    limitSeconds,
  };
}

async function readLedger(client: ClientBase): Promise<Record<'reconciliation' | 'canary', string | null>> {
  const { rows } = await client.query<{ reconciliation: Date | null; canary: Date | null }>(
    `SELECT (SELECT max(started_at) FROM billing.reconciliation_runs WHERE status = 'complete' AND NOT dry_run)
              AS reconciliation,
            (SELECT processed_at FROM billing.webhook_events
             WHERE type = $1 AND status = 'ignored' AND occurred_at > now() - interval '1 day'
             ORDER BY occurred_at DESC LIMIT 1) AS canary`,
    [CANARY_EVENT.type],
  );
  return {
    reconciliation: rows[0]?.reconciliation?.toISOString() ?? null,
    canary: rows[0]?.canary?.toISOString() ?? null,
  };
}
