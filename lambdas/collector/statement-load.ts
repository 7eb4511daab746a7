import type { ClientBase } from 'pg';
import type { DatabaseName } from '../../core/contract';
import { statementStatistics } from '../../core/database/statement-statistics';
import type { Log } from '../../core/runtime/telemetry';
import { COLLECTOR_METRICS } from './contract';
import type { Gauge } from './gauge';
import { withoutLiterals } from './statement-text';

/** Statements that the log names of each order. More would cost a line each, in every collection. */
const NAMED = 5;
/** Characters that are read of a statement's text. */
const READ = 2_000;
/** Seconds between two collections from which on a rate means something. */
const MIN_SECONDS = 10;

/** What the server has counted of a statement, by its id. */
export type Counters = ReadonlyMap<string, { readonly calls: number; readonly totalMs: number }>;

/** What was counted at the last collection. */
export interface StatementSample {
  readonly at: Date;
  readonly counters: Counters;
}

export interface StatementWatch {
  /**
   * The last samples, for as long as the instance of the function lives: a new one measures from its second collection on. Kept
   * in the database, thousands of rows would be written every five minutes.
   */
  readonly samples: Map<DatabaseName, StatementSample>;
  readonly clock: () => Date;
  readonly log: Log;
}

/** A statement between two collections. */
export interface StatementDelta {
  readonly id: string;
  readonly calls: number;
  readonly totalMs: number;
  readonly meanMs: number;
}

/**
 * The time that statements took since the last collection, and the slowest mean. The log names those that took most time, and
 * those that took longest. Nothing where the server does not count statements.
 */
export async function statementLoad(
  client: ClientBase,
  database: DatabaseName,
  { samples, clock, log }: StatementWatch,
): Promise<Gauge[]> {
  const schema = await statementStatistics(client);
  if (schema === undefined) return [];
  const [before, after] = [samples.get(database), { at: clock(), counters: await readCounters(client, schema) }];
  const seconds = before === undefined ? 0 : (after.at.getTime() - before.at.getTime()) / 1_000;
  if (before !== undefined && seconds >= 0 && seconds < MIN_SECONDS) return [];
  samples.set(database, after);
  if (before === undefined || seconds < 0) return [];

  const deltas = deltasBetween(before.counters, after.counters);
  const [byTotal, byMean] = [largest(deltas, 'totalMs'), largest(deltas, 'meanMs')];
  const texts = await readTexts(client, schema, [...byTotal, ...byMean]);
  for (const delta of new Set([...byTotal, ...byMean])) {
    const { id, ...figures } = delta;
    const places = { totalPlace: byTotal.indexOf(delta) + 1 || null, meanPlace: byMean.indexOf(delta) + 1 || null };
    log.info('A statement took time', { database, queryId: id, ...figures, ...places, statement: texts.get(id) });
  }
  const totalMs = deltas.reduce((sum, delta) => sum + delta.totalMs, 0);
  const dimensions = { database };
  return [
    { name: COLLECTOR_METRICS.statementLoad, unit: 'Count', value: totalMs / 1_000 / seconds, dimensions },
    {
      name: COLLECTOR_METRICS.slowestMeanSeconds,
      unit: 'Seconds',
      value: (byMean[0]?.meanMs ?? 0) / 1_000,
      dimensions,
    },
  ];
}

/** Statements that ran in between. One that was counted higher before was reset or evicted: all of it is new. */
export function deltasBetween(before: Counters, after: Counters): StatementDelta[] {
  return [...after].flatMap(([id, now]) => {
    const known = before.get(id);
    const isContinued = known !== undefined && known.calls <= now.calls && known.totalMs <= now.totalMs;
    const calls = now.calls - (isContinued ? known.calls : 0);
    const totalMs = now.totalMs - (isContinued ? known.totalMs : 0);
    return calls > 0 ? [{ id, calls, totalMs, meanMs: totalMs / calls }] : [];
  });
}

function largest(deltas: readonly StatementDelta[], by: 'totalMs' | 'meanMs'): StatementDelta[] {
  return deltas.toSorted((one, other) => other[by] - one[by]).slice(0, NAMED);
}

const HERE = 'dbid = (SELECT oid FROM pg_database WHERE datname = current_database())';

/** Without the texts, which the server would read from a file. Statements within functions are part of those that call them. */
async function readCounters(client: ClientBase, schema: string): Promise<Counters> {
  const { rows } = await client.query<{ id: string | null; calls: number; total: number }>(
    `SELECT queryid::text AS id, sum(calls)::float8 AS calls, sum(total_exec_time) AS total
     FROM ${schema}.pg_stat_statements(false) WHERE ${HERE} AND toplevel GROUP BY queryid`,
  );
  // The role of the function may not see the ids of other roles: those are one.
  return new Map(rows.map(({ id, calls, total }) => [id ?? 'not visible', { calls, totalMs: total }]));
}

async function readTexts(
  client: ClientBase,
  schema: string,
  deltas: readonly StatementDelta[],
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ id: string; text: string }>(
    `SELECT queryid::text AS id, left(min(query), ${READ}) AS text FROM ${schema}.pg_stat_statements
     WHERE ${HERE} AND queryid::text = ANY ($1::text[]) GROUP BY queryid`,
    [deltas.map(({ id }) => id)],
  );
  return new Map(rows.map(({ id, text }) => [id, withoutLiterals(text)]));
}
