import type { ClientBase } from 'pg';
import { listTables, type SourceTable } from '../../core/archive/catalog';
import { qualified } from '../../core/archive/copy-session';

/** The records of the move itself: each server keeps its own. */
const RECORDS = 'operations.moves';
/** The rows that show how far replication is; always on their way. */
export const BEATS = 'operations.move_beats';

/** `schema.table`, for people. */
export const label = ({ schema, name }: Pick<SourceTable, 'schema' | 'name'>): string => `${schema}.${name}`;

/** Tables whose rows are replicated, in the order of their names. Extensions make theirs on the new server themselves. */
export async function replicatedTables(client: ClientBase): Promise<SourceTable[]> {
  const tables = await listTables(client);
  return tables.filter((table) => !table.extension && label(table) !== RECORDS);
}

/** Tables on which writes are refused, with those that only have partitions: a statement names these. */
export async function writtenTables(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND n.nspname || '.' || c.relname NOT IN ($1, $2)
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY 1, 2`,
    [RECORDS, BEATS],
  );
  return rows.map((row) => qualified(row));
}

/** A statement that gives a table a replica identity, and the one that gives it back the former. */
export interface IdentityChange {
  /** `schema.table`, for people. */
  readonly table: string;
  /** Quoted, for statements. */
  readonly qualified: string;
  readonly set: string;
  readonly reset: string;
}

/**
 * Tables without a primary key, or without what identifies a row to replication for another reason: PostgreSQL would refuse
 * their updates and deletions as soon as they are published. A unique index serves where there is one, else the whole row.
 */
export async function missingIdentities(client: ClientBase): Promise<IdentityChange[]> {
  const { rows } = await client.query<{ schema: string; name: string; former: string; index: string | null }>(
    `SELECT n.nspname AS schema, c.relname AS name,
            CASE c.relreplident WHEN 'n' THEN 'NOTHING' ELSE 'DEFAULT' END AS former,
            (SELECT quote_ident(i.relname) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
             WHERE x.indrelid = c.oid AND x.indisunique AND x.indimmediate AND x.indisvalid
               AND x.indpred IS NULL AND x.indexprs IS NULL
               AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (x.indkey) AND NOT a.attnotnull)
             ORDER BY x.indisprimary DESC, i.relname LIMIT 1) AS index
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND (c.relreplident = 'n' OR c.relreplident = 'd'
            AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisprimary))
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY 1, 2`,
  );
  return rows.map(({ schema, name, former, index }) => {
    const quoted = qualified({ schema, name });
    const alter = `ALTER TABLE ${quoted} REPLICA IDENTITY`;
    const set = index === null ? `${alter} FULL` : `${alter} USING INDEX ${index}`;
    return { table: `${schema}.${name}`, qualified: quoted, set, reset: `${alter} ${former}` };
  });
}
