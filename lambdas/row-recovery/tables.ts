import { type ClientBase, escapeIdentifier } from 'pg';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';

/** Holds the platform's own records, which describe this database and are not recovered from an archive. */
const PLATFORM_SCHEMA = 'operations';

export interface LiveColumn {
  readonly name: string;
  /** With its schema and modifiers, to cast text to. */
  readonly type: string;
  readonly inKey: boolean;
  /** Place in the primary key, from 1; null outside of it. */
  readonly keyPlace: number | null;
  /** The operator by which the primary key tells values apart, with its schema: that of a type of an extension is in no path. */
  readonly equals: string;
  /** An identity column that refuses other values in an UPDATE. */
  readonly identityAlways: boolean;
}

export interface LiveTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** Without generated columns: they follow from the others. */
  readonly columns: readonly LiveColumn[];
  /** Columns of the primary key, generated ones among them; 0 without one. */
  readonly keyLength: number;
}

/** `schema.table`, as requests, reports and people name it. */
export function nameOf(table: { readonly schema: string; readonly name: string }): string {
  return `${table.schema}.${table.name}`;
}

/** The columns of the primary key, in its order. */
export function keyOf(table: LiveTable): (LiveColumn & { readonly escaped: string })[] {
  return table.columns
    .filter(({ keyPlace }) => keyPlace !== null)
    .toSorted((a, b) => Number(a.keyPlace) - Number(b.keyPlace))
    .map((column) => ({ ...column, escaped: escapeIdentifier(column.name) }));
}

/**
 * Describes the requested tables, parents before children.
 *
 * @param client a connection with the settings of COPY, so that types are spelled with their schema
 * @throws InvalidRequestError naming a table that does not exist, is not an ordinary table, or belongs to the platform
 * @throws OperationError `no_primary_key` naming a table whose rows cannot be told apart, or only by what is generated
 */
export async function describeTables(client: ClientBase, names: readonly string[]): Promise<LiveTable[]> {
  const tables = await readTables(client, names);
  for (const table of tables) {
    if (table.keyLength > 0 && table.columns.filter(({ inKey }) => inKey).length === table.keyLength) continue;
    const lacking = table.keyLength === 0 ? 'has no primary key' : 'has a generated column in its primary key';
    throw new OperationError(
      'no_primary_key',
      `Table ${nameOf(table)} ${lacking}, so its rows cannot be told apart: restore the archive into a new database and compare there`,
    );
  }
  return orderByKeys(tables, await foreignKeysOf(client, tables));
}

/** The equality of the index of the primary key, for a column of it. */
const EQUALS = `SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
  FROM pg_index x JOIN pg_opclass oc ON oc.oid = x.indclass[array_position(k.conkey, a.attnum) - 1]
    JOIN pg_am m ON m.oid = oc.opcmethod AND m.amname = 'btree'
    JOIN pg_amop s ON s.amopfamily = oc.opcfamily AND s.amopstrategy = 3
      AND s.amoplefttype = oc.opcintype AND s.amoprighttype = oc.opcintype
    JOIN pg_operator o ON o.oid = s.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
  WHERE x.indexrelid = k.conindid`;

/**
 * Describes tables without regard to their keys.
 *
 * @throws InvalidRequestError as {@link describeTables} does
 */
export async function readTables(client: ClientBase, names: readonly string[]): Promise<LiveTable[]> {
  const found = await client.query<LiveTable>(
    `SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS name,
            (SELECT coalesce(json_agg(json_build_object(
                'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                'inKey', coalesce(a.attnum = ANY (k.conkey), false), 'keyPlace', array_position(k.conkey, a.attnum),
                'equals', coalesce((${EQUALS}), '='), 'identityAlways', a.attidentity = 'a')
                ORDER BY a.attnum), '[]')
             FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
            coalesce(cardinality(k.conkey), 0) AS "keyLength"
     FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
     WHERE c.relkind = 'r' AND n.nspname <> $2 AND n.nspname || '.' || c.relname = ANY ($1)
     ORDER BY n.nspname, c.relname`,
    [names, PLATFORM_SCHEMA],
  );
  const known = new Set(found.rows.map(nameOf));
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new InvalidRequestError(
      `tables: ${unknown} is not a table of the application; name it as schema.table, a partition by its own name`,
    );
  }
  return found.rows;
}

interface ForeignKey {
  readonly child: number;
  readonly childName: string;
  readonly parent: number;
  readonly parentName: string;
  readonly cascades: boolean;
}

/** Foreign keys that have one of the tables on either side. */
async function foreignKeysOf(client: ClientBase, tables: readonly LiveTable[]): Promise<ForeignKey[]> {
  const keys = await client.query<ForeignKey>(
    `SELECT k.conrelid::int8::float8 AS child, cn.nspname || '.' || c.relname AS "childName",
            k.confrelid::int8::float8 AS parent, pn.nspname || '.' || p.relname AS "parentName",
            k.confdeltype = 'c' AS cascades
     FROM pg_constraint k
     JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
     JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
     WHERE k.contype = 'f' AND (k.conrelid = ANY ($1::oid[]) OR k.confrelid = ANY ($1::oid[]))
     ORDER BY 2, 4`,
    [tables.map((table) => table.oid)],
  );
  return keys.rows;
}

/**
 * Sorts parents before children. Tables that refer to each other in a circle stay in the order of their names: their rows
 * can be merged when the keys are deferrable, and are refused by the key otherwise.
 */
function orderByKeys(tables: readonly LiveTable[], keys: readonly ForeignKey[]): LiveTable[] {
  const waiting = [...tables];
  const ordered: LiveTable[] = [];
  while (waiting.length > 0) {
    const isWaiting = (oid: number) => waiting.some((table) => table.oid === oid);
    const free = waiting.findIndex(
      ({ oid }) => !keys.some(({ child, parent }) => child === oid && parent !== oid && isWaiting(parent)),
    );
    ordered.push(...waiting.splice(Math.max(free, 0), 1));
  }
  return ordered;
}

/** Whether rows of the tables may refer to each other in a circle, or to rows of their own table. */
export async function referInCircle(client: ClientBase, tables: readonly LiveTable[]): Promise<boolean> {
  const place = new Map(tables.map(({ oid }, at) => [oid, at]));
  const keys = await foreignKeysOf(client, tables);
  // Parents come first, unless there is a circle.
  return keys.some(({ child, parent }) => (place.get(parent) ?? -1) >= (place.get(child) ?? Infinity));
}

/** Tables that were not requested, but hold parents of these rows, or children that are deleted along with them. */
export async function relatedTables(client: ClientBase, tables: readonly LiveTable[]): Promise<string[]> {
  const wanted = new Set(tables.map((table) => table.oid));
  const related = (await foreignKeysOf(client, tables)).flatMap((key) => {
    if (wanted.has(key.child) && !wanted.has(key.parent)) return [key.parentName];
    if (wanted.has(key.parent) && !wanted.has(key.child) && key.cascades) return [key.childName];
    return [];
  });
  return [...new Set(related)].toSorted();
}

/**
 * Refuses a table whose columns are not the expected ones.
 *
 * @param origin of the expected columns, for the message
 * @param remedy what to do about it. @default apply pending migrations
 * @throws OperationError `schema_differs` naming the table
 */
export function assertSameColumns(
  table: LiveTable,
  expected: readonly { readonly name: string }[],
  origin: string,
  remedy = 'apply pending migrations, then make a new report',
): void {
  const names = new Set(expected.map((column) => column.name));
  if (table.columns.length === names.size && table.columns.every((column) => names.has(column.name))) return;
  throw new OperationError('schema_differs', `Table ${nameOf(table)} has other columns than ${origin}: ${remedy}`);
}
