import type { ClientBase } from 'pg';

/** A table with columns that may hold a card number. */
export interface ScannedTable {
  /** Qualified, in SQL. */
  readonly name: string;
  /** Names of the columns of text, JSON or XML, and of arrays of these. */
  readonly columns: readonly string[];
  /** Names of the columns of the primary key; empty without one. */
  readonly key: readonly string[];
  readonly readable: boolean;
}

/**
 * Pages of 8 KiB that a table has, without what is stored apart.
 *
 * @throws DatabaseError after a second in which another session had it locked
 */
export async function countBlocks(client: ClientBase, { name }: ScannedTable): Promise<number> {
  await client.query(`BEGIN READ ONLY; SET LOCAL lock_timeout = '1s'`);
  try {
    const { rows } = await client.query<{ blocks: number }>(
      `SELECT (pg_relation_size($1) / current_setting('block_size')::int)::int AS blocks`,
      [name],
    );
    return rows[0]?.blocks ?? 0;
  } finally {
    await client.query('ROLLBACK');
  }
}

/** Every table and materialised view of the database with such a column, partitions each for itself. */
export async function readScannedTables(client: ClientBase): Promise<ScannedTable[]> {
  const { rows } = await client.query<ScannedTable>(`
    SELECT format('%I.%I', n.nspname, c.relname) AS name, has_table_privilege(c.oid, 'SELECT') AS readable,
      array_agg(a.attname::text ORDER BY a.attnum) AS columns,
      ARRAY(SELECT k.attname::text FROM pg_index i JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey)
        WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY array_position(i.indkey::int2[], k.attnum)) AS key
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_type base ON base.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
    LEFT JOIN pg_type item ON item.oid = base.typelem AND base.typcategory = 'A'
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND (coalesce(item.typcategory, base.typcategory) = 'S'
        OR coalesce(item.typname, base.typname) IN ('json', 'jsonb', 'xml', 'hstore'))
    GROUP BY c.oid, n.nspname, c.relname ORDER BY 1`);
  return rows;
}
