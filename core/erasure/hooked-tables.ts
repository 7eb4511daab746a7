import { type ClientBase, escapeIdentifier } from 'pg';
import type { ErasureHook } from './contract';

/** What the hooks say of one table, by the column that names the user. */
export interface HookedTable {
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  readonly userColumn: string;
  readonly hooks: readonly ErasureHook[];
}

/** The hooks by table and user column, in the order of the configuration. */
export function hookedTables(hooks: readonly ErasureHook[]): HookedTable[] {
  const groups = Map.groupBy(hooks, ({ schema, table, userColumn }) => JSON.stringify([schema, table, userColumn]));
  return [...groups.values()].flatMap((ofTable) => {
    const [first] = ofTable;
    if (first === undefined) return [];
    const { schema, table, userColumn } = first;
    return [{ name: `${schema}.${table}`, schema, table, userColumn, hooks: ofTable }];
  });
}

/** The table for SQL. */
export const relationOf = ({ schema, table }: Pick<HookedTable, 'schema' | 'table'>): string =>
  `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;

/** A foreign key of another table, or of the same one, that refers to a column. */
interface Referrer {
  readonly constraint: string;
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
  /** Whether it refers to this column, not only to the table. */
  readonly refersToColumn: boolean;
  /** What PostgreSQL does, as in `pg_constraint`: `a` and `r` refuse. */
  readonly onUpdate: string;
  readonly onDelete: string;
}

/** What the catalog of the main database says of a column. */
export interface ColumnFacts {
  readonly type: string;
  readonly isText: boolean;
  /** NULL is refused. */
  readonly required: boolean;
  readonly generated: boolean;
  /** Characters that it holds at most; null for no limit. */
  readonly maxLength: number | null;
  /** Unique indexes that contain it, also in an expression such as `lower(email)`. */
  readonly uniqueIndexes: readonly string[];
  readonly foreignKeys: readonly { readonly constraint: string; readonly to: string }[];
  readonly referrers: readonly Referrer[];
  /** CHECK constraints about this column alone. */
  readonly checks: readonly { readonly constraint: string; readonly expression: string }[];
}

/** The columns of the tables that hooks name, by `schema.table.column`. */
export type Columns = ReadonlyMap<string, ColumnFacts>;

const COLUMNS = `
  SELECT space.nspname || '.' || class.relname || '.' || attribute.attname AS place,
    format_type(attribute.atttypid, attribute.atttypmod) AS type,
    type.typcategory = 'S' AS "isText",
    attribute.attnotnull OR type.typnotnull AS required,
    attribute.attgenerated <> '' AS generated,
    CASE WHEN coalesce(base.typname, type.typname) IN ('varchar', 'bpchar')
      THEN nullif(CASE WHEN type.typtype = 'd' THEN type.typtypmod ELSE attribute.atttypmod END, -1) - 4 END AS "maxLength",
    ARRAY(SELECT unique_index.relname::text FROM pg_index
      JOIN pg_class AS unique_index ON unique_index.oid = pg_index.indexrelid
      WHERE indrelid = class.oid AND (indisunique OR indisexclusion) AND (attribute.attnum = ANY (indkey::int2[]) OR EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = indexrelid
          AND refclassid = 'pg_class'::regclass AND refobjid = class.oid AND refobjsubid = attribute.attnum))
      ORDER BY 1) AS "uniqueIndexes",
    (SELECT coalesce(json_agg(json_build_object('constraint', conname, 'to', confrelid::regclass::text) ORDER BY conname), '[]')
      FROM pg_constraint
      WHERE contype = 'f' AND conparentid = 0 AND conrelid = class.oid AND attribute.attnum = ANY (conkey)) AS "foreignKeys",
    (SELECT coalesce(json_agg(json_build_object('constraint', conname, 'schema', from_space.nspname, 'table', referring.relname,
        'columns', ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)),
        'refersToColumn', attribute.attnum = ANY (confkey), 'onUpdate', confupdtype, 'onDelete', confdeltype) ORDER BY conname), '[]')
      FROM pg_constraint
      JOIN pg_class AS referring ON referring.oid = conrelid
      JOIN pg_namespace AS from_space ON from_space.oid = referring.relnamespace
      WHERE contype = 'f' AND conparentid = 0 AND confrelid = class.oid) AS referrers,
    (SELECT coalesce(json_agg(json_build_object('constraint', conname, 'expression', pg_get_expr(conbin, conrelid)) ORDER BY conname), '[]')
      FROM pg_constraint WHERE contype = 'c' AND conrelid = class.oid AND conkey = ARRAY[attribute.attnum]) AS checks
  FROM pg_class AS class
  JOIN pg_namespace AS space ON space.oid = class.relnamespace
  JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
  JOIN pg_type AS type ON type.oid = attribute.atttypid
  LEFT JOIN pg_type AS base ON base.oid = type.typbasetype
  WHERE class.relkind IN ('r', 'p', 'v', 'f') AND space.nspname || '.' || class.relname = ANY ($1::text[])`;

/** Reads from the catalog what decides whether columns can take a treatment. */
export async function readColumns(client: ClientBase, hooks: readonly ErasureHook[]): Promise<Columns> {
  const { rows } = await client.query<ColumnFacts & { readonly place: string }>(COLUMNS, [
    hookedTables(hooks).map(({ name }) => name),
  ]);
  return new Map(rows.map((row) => [row.place, row]));
}

/** Tables whose foreign keys refer to others go before them, so that their rows are gone when those are deleted. */
export function inOrderOfDeletion(tables: readonly HookedTable[], columns: Columns): HookedTable[] {
  const referrersOf = new Map(
    tables.map((each) => {
      const referrers = columns.get(`${each.name}.${each.userColumn}`)?.referrers ?? [];
      return [each, new Set(referrers.map(({ schema, table }) => `${schema}.${table}`))];
    }),
  );
  const ordered: HookedTable[] = [];
  let left = [...tables];
  while (left.length > 0) {
    const waits = (each: HookedTable) =>
      left.some((other) => other.name !== each.name && (referrersOf.get(each)?.has(other.name) ?? false));
    // Tables that refer to one another in a circle keep the order of the configuration.
    const next = left.find((each) => !waits(each)) ?? left[0];
    if (next === undefined) break;
    ordered.push(next);
    left = left.filter((each) => each !== next);
  }
  return ordered;
}
