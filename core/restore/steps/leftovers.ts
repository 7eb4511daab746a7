import { type DatabaseConnector, withConnection } from '../../database/connector';
import { OperationError } from '../../runtime/errors';
import type { Log } from '../../runtime/telemetry';
import { dropDatabase, MAINTENANCE_DATABASE } from '../new-database';
import { scratchPrefix, startOfScratch, type SteppedPurpose } from '../scratch-names';
import { readProgress } from './journal';

/**
 * Time without a step and without a session after which a restore by many calls was given up. Between its calls there are
 * minutes at most, and a statement that takes longer has a session.
 */
const ABANDONED_MS = 24 * 60 * 60 * 1000;
/** The same where no workflow is running. Step Functions may list one only seconds after it has begun. */
const ABANDONED_WHEN_IDLE_MS = 5 * 60 * 1000;

/** @returns the database of a restore that was asked for the same; `undefined` when there is none */
export async function findResumable(
  connector: DatabaseConnector,
  purpose: SteppedPurpose,
  asked: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  for (const { name } of await listRestoring(connector, purpose)) {
    const { request } = (await withConnection(connector, readProgress, name)) ?? {};
    if (request && Object.entries(asked).every(([field, value]) => request[field] === value)) return name;
  }
  return undefined;
}

/**
 * Drops the databases of restores that were given up: nothing was recorded for a day, and no session is in them.
 *
 * @param isIdle whether no workflow is running: then five minutes are enough. @default not known
 * @returns the start of each of those restores
 * @throws OperationError `database_unavailable` (retryable)
 */
export async function sweepRestoring(
  connector: DatabaseConnector,
  log: Log,
  now: Date,
  purpose: SteppedPurpose = 'restoring',
  isIdle = false,
): Promise<Date[]> {
  const abandonedMs = isIdle ? ABANDONED_WHEN_IDLE_MS : ABANDONED_MS;
  const swept: Date[] = [];
  for (const { name, startedAt, sessions } of await listRestoring(connector, purpose)) {
    if (sessions > 0) continue;
    const progress = await withConnection(connector, readProgress, name).catch((error: unknown) => {
      // Dropped or renamed a moment ago.
      if (error instanceof OperationError) return { lastAt: now };
      throw error;
    });
    if (now.getTime() - (progress?.lastAt ?? startedAt).getTime() <= abandonedMs) continue;
    await dropDatabase(connector, name);
    log.warn('A restore was given up; its database was dropped', { name, startedAt: startedAt.toISOString() });
    swept.push(startedAt);
  }
  return swept;
}

/**
 * Two drills of a large archive would take its room on the disk twice, and distort the times.
 *
 * @param own name of the database of the drill that asks; @default none yet
 * @throws OperationError `drill_running`; and, retryable, `database_unavailable`
 */
export async function assertNoDrillRunning(connector: DatabaseConnector, own?: string): Promise<void> {
  const running = (await listRestoring(connector, 'drilling')).find(({ name }) => name !== own);
  if (!running) return;
  const { name, startedAt } = running;
  throw new OperationError(
    'drill_running',
    `The drill of ${startedAt.toISOString()} is under way in database ${name}: wait for it. If its workflow was stopped, drill again once its calls have ended, 20 minutes after they began`,
  );
}

/** A database that a workflow restores into. */
interface Restoring {
  readonly name: string;
  readonly startedAt: Date;
  readonly sessions: number;
}

/** @throws OperationError `database_unavailable` (retryable) */
async function listRestoring(connector: DatabaseConnector, purpose: SteppedPurpose): Promise<Restoring[]> {
  const live = connector.target.database;
  const { rows } = await withConnection(
    connector,
    (client) =>
      client.query<{ name: string; sessions: number }>(
        `SELECT datname AS name, (SELECT count(*)::int FROM pg_stat_activity a WHERE a.datname = d.datname) AS sessions
         FROM pg_database d WHERE starts_with(datname, $1) ORDER BY datname`,
        [scratchPrefix(purpose, live)],
      ),
    MAINTENANCE_DATABASE,
  );
  return rows.flatMap(({ name, sessions }) => {
    const start = startOfScratch(purpose, live, name);
    return start === undefined ? [] : [{ name, startedAt: new Date(start), sessions }];
  });
}
