import { createHash } from 'node:crypto';
import { type Client, escapeIdentifier } from 'pg';
import { qualified } from '../../core/archive/copy-session';
import type { SourceTable } from '../../core/archive/catalog';
import { compareReadSchemas } from '../../core/schema/compare';
import { readCurrent } from '../../core/schema/capture';
import type { DatabaseConnector } from '../../core/database/connector';
import { awaitBeat, beat } from './replication';
import { type Connected } from './servers';

/** Parts of a table that are compared by one sum each: a row that changes meanwhile concerns one of them. */
const BUCKETS = 1024;
/** Times that parts which differ are compared again, after what was on its way has arrived. */
const ROUNDS = 8;

/** Rows and sum of the hashes of a part of a table. */
type Buckets = ReadonlyMap<number, string>;

/** How the rows of a table compare. */
export interface Comparison {
  /** On the first server. */
  readonly rows: number;
  /** Parts that differed each time. */
  readonly differences: number;
}

/**
 * Compares the rows of one table on two servers, all values of all rows. With writes going on, a part that was just changed
 * differs for a moment: what differs is compared again after a row that was written then has arrived, and counts only if it
 * differs every time.
 *
 * @param live the server that takes the writes, and its side; absent while neither does
 */
export async function compareTable(
  first: Connected,
  second: Connected,
  table: SourceTable,
  live?: { readonly server: Connected; readonly side: 'source' | 'target' },
): Promise<Comparison> {
  const key = await keyOf(first.client, table);
  let differing: number[] | undefined;
  let rows = 0;
  for (let round = 1; ; round += 1) {
    const [one, other] = await Promise.all([
      bucketsOf(first.client, table, key, differing),
      bucketsOf(second.client, table, key, differing),
    ]);
    if (round === 1) for (const value of one.values()) rows += Number(value.split(':')[0]);
    differing = [...new Set([...one.keys(), ...other.keys()])].filter(
      (bucket) => one.get(bucket) !== other.get(bucket),
    );
    if (differing.length === 0 || live === undefined || round === ROUNDS) {
      return { rows, differences: differing.length };
    }
    const follower = live.server === first ? second : first;
    await awaitBeat(follower, live.side, await beat(live.server.client, live.side));
  }
}

/** SQL for what tells rows apart: of the primary key, or of the whole row. */
async function keyOf(client: Client, { oid }: SourceTable): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT a.attname AS name FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey)
     WHERE x.indrelid = $1::oid AND x.indisprimary ORDER BY a.attnum`,
    [oid],
  );
  const columns = rows.map(({ name }) => `compared.${escapeIdentifier(name)}`);
  return columns.length === 0 ? 'compared::text' : `ROW(${columns.join(', ')})::text`;
}

async function bucketsOf(
  client: Client,
  table: SourceTable,
  key: string,
  only: readonly number[] | undefined,
): Promise<Buckets> {
  const bucket = `abs(hashtextextended(${key}, 0) % ${BUCKETS})::int`;
  const { rows } = await client.query<{ bucket: number; value: string }>(
    `SELECT ${bucket} AS bucket, count(*) || ':' || sum(hashtextextended(compared::text, 0)) AS value
     FROM ONLY ${qualified(table)} AS compared
     WHERE $1::int[] IS NULL OR ${bucket} = ANY ($1) GROUP BY 1`,
    [only ?? null],
  );
  return new Map(rows.map((row) => [row.bucket, row.value]));
}

/** Objects of replication, which each server has of its own. */
const OWN =
  /\bPUBLICATION\b|\bSUBSCRIPTION\b|^DATABASE (?:SETTINGS|COMMENT|OWNER)\b|refuse_moved|a_moved|\bROLE\b.*\bbilling_move$/;

/** An object whose definition reads otherwise on the new server. */
export interface SchemaDifference {
  /** For people. */
  readonly text: string;
  /** Changes with either definition. */
  readonly digest: string;
}

/**
 * What differs between the schemas of two servers. Some definitions read otherwise although they mean the same, such as a view
 * whose columns PostgreSQL names: what is known of a copy, and unchanged since, is no difference.
 *
 * @param known digests of such differences
 */
export async function differencesOfSchema(
  first: DatabaseConnector,
  second: DatabaseConnector,
  { workerFile, known = [] }: { readonly workerFile: string | undefined; readonly known?: readonly string[] },
): Promise<SchemaDifference[]> {
  const one = await readCurrent({ connector: first, workerFile });
  const other = await readCurrent({ connector: second, workerFile });
  return compareReadSchemas(one, other)
    .filter(({ object, lines }) => !OWN.test(object) && !isReordered(lines))
    .map(({ kind, object, lines }) => ({
      text: `${kind} on the new server: ${object}`,
      digest: createHash('sha256')
        .update(JSON.stringify([kind, object, lines]))
        .digest('hex'),
    }))
    .filter(({ digest }) => !known.includes(digest));
}

/** Grants come in the order in which they were made. */
function isReordered(lines: readonly string[]): boolean {
  const [removed, added] = ['-', '+'].map((sign) =>
    lines
      .filter((line) => line.startsWith(sign))
      .map((line) => line.slice(1))
      .toSorted()
      .join('\n'),
  );
  return removed === added;
}
