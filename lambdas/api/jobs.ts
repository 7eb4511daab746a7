import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import * as z from 'zod';
import {
  DRILL_LIMIT_DAYS,
  isLookedUp,
  MAINTENANCE_GRACE_DAYS,
  maintenancePeriods,
  RECONCILIATION_LIMIT_HOURS,
  RECORDED_JOB_LIMIT_MINUTES,
  type RecordedJob,
} from '../../core/contract';
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
  /** What a success leaves to look into, and where to read on; null for nothing. */
  readonly findings: string | null;
}

/** Milliseconds that an answer is kept: anybody may ask, and archives are looked up in S3. */
const KEPT_MS = 60_000;
/** Of an answer that lacks something: what was down for a moment is not reported for a minute. */
const KEPT_UNKNOWN_MS = 5_000;
/** Prometheus gives up after 10 s, and then has no figure at all. */
const LIMIT_MS = 8_000;
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
      lastDrill: z
        .object({ startedAt: z.string(), outcome: z.string(), findings: z.string().nullable().default(null) })
        .nullable(),
      madeAt: z.string().nullable(),
      maintenance: z.array(z.object({ task: z.string(), at: z.string() })),
    }),
  ),
  problems: z.array(z.string()),
});
type Status = z.infer<typeof status>;

/** When a job last succeeded: ISO time; null for never, undefined where it could not be looked up. */
type LastSuccess = string | null | undefined;
type Ledger = Readonly<Record<'reconciliation' | 'canary' | RecordedJob, string | null>>;

/**
 * @returns what answers when each job last succeeded, at most a minute old. It never throws, and takes no longer than 8 s: what
 * did not answer by then is `unknown`
 */
export function createJobReader(
  dependencies: ApiDependencies,
  limitMs: number = LIMIT_MS,
): () => Promise<readonly Job[]> {
  let kept: Kept | undefined;
  return () => {
    if (kept === undefined || dependencies.clock().getTime() >= kept.until) {
      kept = { until: Infinity, jobs: readJobs(dependencies, limitMs) };
      void keepFromNow(kept, dependencies.clock);
    }
    return kept.jobs;
  };
}

interface Kept {
  /** Milliseconds since 1970; infinite until the answer is there. */
  until: number;
  readonly jobs: Promise<readonly Job[]>;
}

/** Keeps an answer from when it is there: to wait for one may take longer than it is kept. */
async function keepFromNow(kept: Kept, clock: ApiDependencies['clock']): Promise<void> {
  const isUnknown = (await kept.jobs).some((each) => each.status === 'unknown');
  kept.until = clock().getTime() + (isUnknown ? KEPT_UNKNOWN_MS : KEPT_MS);
}

/** When everything was last compared with Stripe: ISO time; null for never. @throws the database's error */
export async function lastReconciliation(client: ClientBase): Promise<string | null> {
  const { rows } = await client.query<{ at: Date | null }>(`SELECT max(started_at) AS at ${COMPLETE_RUNS}`);
  return rows[0]?.at?.toISOString() ?? null;
}

const COMPLETE_RUNS = `FROM billing.reconciliation_runs WHERE status = 'complete' AND NOT dry_run`;

async function readJobs(dependencies: ApiDependencies, limitMs: number): Promise<readonly Job[]> {
  const { database, ask, hasCanary, bitcoin, clock, log } = dependencies;
  const stop = new AbortController();
  const limit = sleep(limitMs, undefined, { signal: stop.signal }).then(
    () => Promise.reject(new Error(`There was no answer within ${limitMs} ms`)),
    // The answers were there before.
    () => undefined as never,
  );
  const attempt = <T>(what: Promise<T>): Promise<T | undefined> =>
    Promise.race([what, limit]).catch((error: unknown) => {
      log.warn('When jobs succeeded could not be looked up', { reason: messageOf(error) });
      return undefined;
    });
  let isRead = false;
  const reading = database.use(readLedger).finally(() => (isRead = true));
  const [ledger, report] = await Promise.all([
    attempt(reading),
    attempt(ask('inspect', { action: 'status' }, AbortSignal.timeout(limitMs)).then((answer) => status.parse(answer))),
  ]);
  stop.abort();
  // What hangs would hang for the next request, too.
  if (!isRead) void database.close();
  const now = clock().getTime();
  const madeAt = report?.databases.find(({ database: name }) => name === 'billing')?.madeAt ?? null;
  const recorded = (name: keyof Ledger, limitSeconds: number): Job =>
    job(name, ledger && ledger[name], limitSeconds, { now, madeAt });
  return [
    recorded('reconciliation', RECONCILIATION_LIMIT_HOURS * HOUR_SECONDS),
    ...(hasCanary ? [recorded('canary', CANARY_LIMIT_SECONDS)] : []),
    ...(Object.entries(RECORDED_JOB_LIMIT_MINUTES) as [RecordedJob, number][])
      .filter(([name]) => name !== 'confirmations' || bitcoin !== undefined)
      .map(([name, minutes]) => recorded(name, minutes * 60)),
    ...(report?.databases ?? []).flatMap((found) => jobsOfDatabase(found, report?.problems ?? [], now)),
    ...(report === undefined
      ? ['backup', 'drill', 'maintenance'].map((name) => job(name, undefined, 0, { now, madeAt }))
      : []),
  ];
}

function jobsOfDatabase(found: Status['databases'][number], problems: Status['problems'], now: number): readonly Job[] {
  const { database, newestArchive, archiveLimitSeconds, lastDrill, madeAt, maintenance } = found;
  const isKnown = (subject: string) => isLookedUp(problems, subject);
  const proven = lastDrill !== null && ['passed', 'slow'].includes(lastDrill.outcome) ? lastDrill.startedAt : null;
  const due = { now, madeAt };
  return [
    job(`backup-${database}`, isKnown(`archives of ${database}`) ? newestArchive : undefined, archiveLimitSeconds, due),
    {
      ...job(`drill-${database}`, isKnown(database) ? proven : undefined, DRILL_LIMIT_DAYS * DAY_SECONDS, due),
      // They do not make it late: some stay for good, such as an extension that a server does not take.
      findings: lastDrill?.findings ?? null,
    },
    ...maintenancePeriods(database).map(([task, days]) => {
      const last = maintenance.find((run) => run.task === task)?.at ?? null;
      const limitSeconds = (days + MAINTENANCE_GRACE_DAYS) * DAY_SECONDS;
      return job(
        task === 'report' ? 'maintenance-report' : `maintenance-${task}-${database}`,
        isKnown(database) ? last : undefined,
        limitSeconds,
        due,
      );
    }),
  ];
}

/** A job that never succeeded is due from the first migration on; where that is unknown, it is late. */
function job(
  name: string,
  lastSuccess: LastSuccess,
  limitSeconds: number,
  { now, madeAt }: { readonly now: number; readonly madeAt: string | null },
): Job {
  const secondsSince = (iso: string) => Math.max(0, Math.round((now - Date.parse(iso)) / 1_000));
  const since = lastSuccess ?? madeAt;
  const isLate = since === null || secondsSince(since) > limitSeconds;
  return {
    job: name,
    status: lastSuccess === undefined ? 'unknown' : isLate ? 'late' : 'ok',
    lastSuccess: lastSuccess ?? null,
    ageSeconds: lastSuccess ? secondsSince(lastSuccess) : null,
    limitSeconds,
    findings: null,
  };
}

async function readLedger(client: ClientBase): Promise<Ledger> {
  const { rows } = await client.query<{ job: keyof Ledger; at: Date | null }>(
    `SELECT 'reconciliation' AS job, max(started_at) AS at ${COMPLETE_RUNS}
     UNION ALL
     (SELECT 'canary', processed_at FROM billing.webhook_events
      WHERE type = $1 AND status = 'ignored' AND occurred_at > now() - interval '1 day'
      ORDER BY occurred_at DESC LIMIT 1)
     UNION ALL
     SELECT job, succeeded_at FROM billing.job_successes`,
    [CANARY_EVENT.type],
  );
  const at = (name: keyof Ledger) => rows.find(({ job: known }) => known === name)?.at?.toISOString() ?? null;
  return {
    reconciliation: at('reconciliation'),
    canary: at('canary'),
    cleanup: at('cleanup'),
    collector: at('collector'),
    refresh: at('refresh'),
    confirmations: at('confirmations'),
  };
}
