import { type ClientBase, DatabaseError } from 'pg';
import { OperationError } from '../runtime/errors';

/** SQLSTATE class of rows that violate a constraint. */
const INTEGRITY_VIOLATION_CLASS = '23';

/** An index that is built when its table has been loaded, and the statements for that. */
export interface DeferredIndex {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  /** Drops it, with the constraint that it serves. */
  readonly removal: string;
  readonly creation: string;
  /** Creates its constraint again; null when it serves none, or when `creation` does that. */
  readonly attachment: string | null;
}

/**
 * Drops the indexes of some tables, with their constraints, so that they are built from all rows at once: sorted, in a
 * tenth of the time that inserting takes, and with as much less to write. Foreign keys, which need them, are off by then.
 *
 * An index stays where its definition is not all there is to it: when it belongs to a partition, is invalid, commented,
 * clustered on or a replica identity, or has options, a tablespace, statistics targets or dependents of its own.
 *
 * @param client with the search path of COPY_SETTINGS, so that the definitions name schemas and mean the same everywhere
 * @param tables those with enough rows to be worth it
 */
export async function deferIndexes(
  client: ClientBase,
  tables: readonly { readonly schema: string; readonly name: string }[],
): Promise<DeferredIndex[]> {
  if (tables.length === 0) return [];
  const indexes = await client.query<DeferredIndex>(
    `SELECT n.nspname AS schema, t.relname AS table, i.relname AS name,
            CASE WHEN k.oid IS NULL THEN format('DROP INDEX %I.%I', n.nspname, i.relname)
                 ELSE format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, t.relname, i.relname) END AS removal,
            CASE WHEN x.indisexclusion
                 THEN format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, t.relname, i.relname, pg_get_constraintdef(k.oid))
                 ELSE pg_get_indexdef(i.oid) END AS creation,
            CASE WHEN k.oid IS NOT NULL AND NOT x.indisexclusion
                 THEN format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s USING INDEX %I %s %s', n.nspname, t.relname, i.relname,
                             CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, i.relname,
                             CASE WHEN k.condeferrable THEN 'DEFERRABLE' END,
                             CASE WHEN k.condeferred THEN 'INITIALLY DEFERRED' END) END AS attachment
     FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
     JOIN pg_namespace n ON n.nspname = wanted.schema
     JOIN pg_class t ON t.relnamespace = n.oid AND t.relname = wanted.name AND t.relkind = 'r' AND NOT t.relispartition
     JOIN pg_index x ON x.indrelid = t.oid AND x.indisvalid AND NOT x.indisclustered AND NOT x.indisreplident
     JOIN pg_class i ON i.oid = x.indexrelid AND i.reloptions IS NULL AND i.reltablespace = 0
     LEFT JOIN pg_constraint k ON k.conindid = i.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')
     WHERE NOT EXISTS (SELECT FROM pg_description d WHERE d.objoid IN (i.oid, k.oid))
       AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.oid AND a.attstattarget >= 0)
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refobjid IN (i.oid, k.oid) AND d.deptype IN ('n', 'a'))
     ORDER BY n.nspname, t.relname, i.relname`,
    [tables.map((table) => table.schema), tables.map((table) => table.name)],
  );
  for (const { removal } of indexes.rows) await client.query(removal);
  return indexes.rows;
}

/**
 * Builds an index that was dropped. That of a constraint is built as an index alone: adding the constraint would keep
 * other connections from building an index of the same table meanwhile.
 *
 * @throws OperationError `archive_inconsistent` naming the key that the rows violate
 */
export async function buildIndex(client: ClientBase, index: DeferredIndex): Promise<void> {
  await client.query(index.creation).catch((cause: unknown) => {
    if (!(cause instanceof DatabaseError) || !cause.code?.startsWith(INTEGRITY_VIOLATION_CLASS)) throw cause;
    throw new OperationError(
      'archive_inconsistent',
      `Key ${index.name} of ${index.schema}.${index.table} does not hold in the archive: ${cause.detail ?? cause.message}`,
      { cause },
    );
  });
}

/** Creates the constraint of an index, once it is built. */
export async function attachKey(client: ClientBase, { attachment }: DeferredIndex): Promise<void> {
  if (attachment !== null) await client.query(attachment);
}
