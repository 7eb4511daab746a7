import { type ClientBase, escapeLiteral } from 'pg';
import { qualified } from '../../core/archive/copy-session';
import { rowText } from './compare';
import type { ComparisonPlace } from './report-format';
import { keyOf, type LiveTable, nameOf } from './tables';

/**
 * Rows of a part. More are copied for a single row that differs, and take more of the live server's disk meanwhile; fewer
 * are more questions to both servers.
 */
export const PART_ROWS = 20_000;

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

/**
 * The rows of a table in parts, each with whether the live rows are the same: by a digest on each server, so that equal rows
 * are read where they are and never travel. A row that is found equal is equal; one that is not is compared by its key, so
 * that nothing depends on both servers sorting alike.
 *
 * @param where condition on the source's rows
 * @param partRows rows of a part. @default {@link PART_ROWS}
 * @param begin key of the last row of the part before. @default - the beginning
 */
export async function* partsOf(
  source: ClientBase,
  live: ClientBase,
  table: LiveTable,
  where: string,
  partRows = PART_ROWS,
  begin?: readonly string[],
): AsyncGenerator<Part> {
  const key = keyOf(table);
  const names = `(${key.map(({ escaped }) => escaped).join(', ')})`;
  const literals = (values: readonly string[]) =>
    `(${key.map(({ type }, at) => `${escapeLiteral(values[at] ?? '')}::${type}`).join(', ')})`;
  let after = begin === undefined ? 'true' : `${names} > ${literals(begin)}`;
  for (;;) {
    const former = await digestOf(source, table, `(${where}) AND ${after}`, partRows);
    if (former.last === null) return;
    const condition = `(${where}) AND ${after} AND ${names} <= ${literals(former.last)}`;
    const present = await digestOf(live, table, condition, null);
    const next = former.rows < partRows ? null : { after: [...former.last] };
    yield { condition, rows: former.rows, differs: former.digest !== present.digest, next };
    if (next === null) return;
    after = `${names} > ${literals(former.last)}`;
  }
}

async function digestOf(client: ClientBase, table: LiveTable, where: string, limit: number | null): Promise<Digest> {
  const key = keyOf(table);
  const ordered = (direction: 'ASC' | 'DESC', alias: string) =>
    key.map((_, at) => `${alias}.k${at} ${direction}`).join(', ');
  const { rows } = await client.query<Digest>(
    `WITH part AS MATERIALIZED (
       SELECT ${key.map(({ escaped }, at) => `l.${escaped} AS k${at}`).join(', ')},
              sha256(convert_to(${rowText('l', table)}, 'UTF8')) AS sha
       FROM (SELECT * FROM ONLY ${qualified(table)} WHERE ${where}
             ORDER BY ${key.map(({ escaped }) => escaped).join(', ')} LIMIT ${limit ?? 'ALL'}) l)
     SELECT count(*)::int AS rows, encode(sha256(string_agg(sha, ''::bytea ORDER BY ${ordered('ASC', 'part')})), 'hex') AS digest,
            (SELECT ARRAY[${key.map((_, at) => `k${at}::text`).join(', ')}] FROM part ORDER BY ${ordered('DESC', 'part')} LIMIT 1) AS last
     FROM part`,
  );
  const [found] = rows;
  if (!found) throw new Error(`The digest of ${nameOf(table)} has no result`);
  return found;
}
