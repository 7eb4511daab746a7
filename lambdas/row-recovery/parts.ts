import { type ClientBase, escapeLiteral } from 'pg';
import { qualified } from '../../core/archive/copy-session';
import { isStatementTimeout } from '../../core/database/statement-failures';
import { rowText } from './compare';
import type { ComparisonPlace } from './report-format';
import { keyOf, type LiveTable, nameOf } from './tables';

/**
 * Rows of a part. More are copied for a single row that differs, and take more of the live server's disk meanwhile; fewer
 * are more questions to both servers.
 */
export const PART_ROWS = 20_000;
/** More makes a condition that no index serves cost more before it is noticed; less gives up where one does. */
const SEEK_MS = 60_000;
/** Rows of a range of the key, of which few meet such a condition, in rows of a part. */
const SCANNED_PARTS = 10;

/** Rows of a table, in the order of its primary key. */
export interface Part {
  /** SQL that holds for these rows and no others. */
  readonly condition: string;
  /** Rows of the source in it; null where they are only known once they are copied. */
  readonly rows: number | null;
  /** Whether the live table has other rows in it, or fewer, or more. */
  readonly differs: boolean;
  /** Where the next part of the table begins; null after the last. `undefined`: no other call can continue here. */
  readonly next?: PartStart | null;
}

/** Where a part of a table begins: at one of an archive, or after a key of an instance. */
export type PartStart = Pick<ComparisonPlace, 'part' | 'after'>;

interface Digest {
  readonly rows: number;
  readonly digest: string | null;
  /** Key of the last row, as text. */
  readonly last: readonly string[] | null;
}

/** What limits a part. */
export interface PartLimits {
  /** Rows of it. @default {@link PART_ROWS} */
  readonly partRows?: number;
  /** Milliseconds that a server has to find them by the condition. @default {@link SEEK_MS} */
  readonly seekMs?: number;
}

/** A part, with the key of its last row and whether it has as many rows as it may. */
interface FoundPart extends Omit<Part, 'next'> {
  readonly last: readonly string[];
  readonly isFull: boolean;
}

/**
 * The rows of a table in parts, each with whether the live rows are the same: by a digest on each server, so that equal rows
 * are read where they are and never travel. A row that is found equal is equal; one that is not is compared by its key, so
 * that nothing depends on both servers sorting alike.
 *
 * A part has rows that meet the condition. Where a server does not find them in time, because no index serves the condition,
 * a part is a range of the key, of whose rows some meet it: no statement then reads more of a table.
 *
 * @param source in a transaction, like `live`
 * @param where condition on the source's rows
 * @param begin key of the last row of the part before. @default - the beginning
 */
export async function* partsOf(
  source: ClientBase,
  live: ClientBase,
  table: LiveTable,
  where: string,
  { partRows = PART_ROWS, seekMs = SEEK_MS }: PartLimits = {},
  begin?: readonly string[],
): AsyncGenerator<Part> {
  const key = keyOf(table);
  const names = `(${key.map(({ escaped }) => escaped).join(', ')})`;
  const behind = (values: readonly string[], operator: '>' | '<=') =>
    `${names} ${operator} (${key.map(({ type }, at) => `${escapeLiteral(values[at] ?? '')}::${type}`).join(', ')})`;
  const upTo = async (after: string, last: readonly string[], former?: Digest) => {
    const condition = `(${where}) AND ${after} AND ${behind(last, '<=')}`;
    const { rows, digest } = former ?? (await digestOf(source, table, condition, null));
    const present = await digestOf(live, table, condition, null);
    return { condition, rows, differs: digest !== present.digest, last };
  };
  const seek = async (after: string): Promise<FoundPart | null> => {
    const former = await digestOf(source, table, `(${where}) AND ${after}`, partRows);
    return former.last && { ...(await upTo(after, former.last, former)), isFull: former.rows === partRows };
  };
  const scan = async (after: string): Promise<FoundPart | null> => {
    const scanned = SCANNED_PARTS * partRows;
    const { rows, last } = await endOf(source, table, after, scanned);
    return last && { ...(await upTo(after, last)), isFull: rows === scanned };
  };
  const limitMs = where === 'true' ? null : seekMs;
  let after = begin === undefined ? 'true' : behind(begin, '>');
  for (let isInTime = true; ;) {
    const found: FoundPart | null | undefined = isInTime
      ? await within(limitMs, [source, live], () => seek(after))
      : await scan(after);
    if (found === undefined) {
      isInTime = false;
      continue;
    }
    if (found === null) return;
    const { last, isFull, ...part } = found;
    yield { ...part, next: isFull ? { after: [...last] } : null };
    if (!isFull) return;
    after = behind(last, '>');
  }
}

/**
 * Runs statements that only read, each for no longer than the limit, in the transactions of their sessions.
 *
 * @returns undefined when one took longer; the transactions can be used on
 */
async function within<T>(
  limitMs: number | null,
  clients: readonly ClientBase[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  if (limitMs === null) return work();
  for (const client of clients) await client.query(`SAVEPOINT part; SET LOCAL statement_timeout = ${limitMs}`);
  const result = await work().catch((error: unknown) => {
    if (isStatementTimeout(error)) return undefined;
    throw error;
  });
  // The limit as well ends with the savepoint.
  for (const client of clients) await client.query('ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part');
  return result;
}

/** SQL for the key of the last row of the rows `part`, whose columns of the key are `k0` and so on. */
function lastKey(key: readonly unknown[]): string {
  const columns = key.map((_, at) => `k${at}`);
  return `(SELECT ARRAY[${columns.map((column) => `${column}::text`).join(', ')}] FROM part
             ORDER BY ${columns.map((column) => `${column} DESC`).join(', ')} LIMIT 1)`;
}

/** How many rows follow, up to a limit, and the key of the last of them. */
async function endOf(
  client: ClientBase,
  table: LiveTable,
  where: string,
  limit: number,
): Promise<Omit<Digest, 'digest'>> {
  const key = keyOf(table);
  const { rows } = await client.query<Omit<Digest, 'digest'>>(
    `WITH part AS MATERIALIZED (
       SELECT ${key.map(({ escaped }, at) => `${escaped} AS k${at}`).join(', ')} FROM ONLY ${qualified(table)} WHERE ${where}
       ORDER BY ${key.map(({ escaped }) => escaped).join(', ')} LIMIT ${limit})
     SELECT count(*)::int AS rows, ${lastKey(key)} AS last FROM part`,
  );
  return theOnly(rows, table);
}

async function digestOf(client: ClientBase, table: LiveTable, where: string, limit: number | null): Promise<Digest> {
  const key = keyOf(table);
  const inOrder = key.map((_, at) => `part.k${at}`).join(', ');
  const { rows } = await client.query<Digest>(
    `WITH part AS MATERIALIZED (
       SELECT ${key.map(({ escaped }, at) => `l.${escaped} AS k${at}`).join(', ')},
              sha256(convert_to(${rowText('l', table)}, 'UTF8')) AS sha
       FROM (SELECT * FROM ONLY ${qualified(table)} WHERE ${where}
             ORDER BY ${key.map(({ escaped }) => escaped).join(', ')} LIMIT ${limit ?? 'ALL'}) l)
     SELECT count(*)::int AS rows, encode(sha256(string_agg(sha, ''::bytea ORDER BY ${inOrder})), 'hex') AS digest,
            ${lastKey(key)} AS last
     FROM part`,
  );
  return theOnly(rows, table);
}

function theOnly<T>([found]: readonly T[], table: LiveTable): T {
  if (!found) throw new Error(`A part of ${nameOf(table)} has no result`);
  return found;
}
