import { type ClientBase, escapeIdentifier } from 'pg';

/** Where another tool has brought a schema to, by its own record. */
export interface SchemaVersion {
  readonly tool: string;
  /** `schema.table` of the record. */
  readonly journal: string;
  readonly version: string;
}

/** How a tool records what it applied. */
interface Journal {
  readonly tool: string;
  readonly table: string;
  /** Columns that distinguish its table from another one of that name. */
  readonly columns: readonly string[];
  /** Query for the version, given the escaped name of the table. */
  readonly newest: (table: string) => string;
}

/** Read, never written. */
const JOURNALS: readonly Journal[] = [
  {
    tool: 'prisma',
    table: '_prisma_migrations',
    columns: ['migration_name', 'finished_at', 'rolled_back_at'],
    newest: (table) =>
      `SELECT migration_name AS version FROM ${table} WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL
       ORDER BY finished_at DESC, migration_name DESC LIMIT 1`,
  },
  {
    tool: 'drizzle',
    table: '__drizzle_migrations',
    columns: ['hash', 'created_at'],
    // It records no name: the time in milliseconds is that of the entry in its own journal file.
    newest: (table) => `SELECT created_at || ' ' || hash AS version FROM ${table} ORDER BY created_at DESC LIMIT 1`,
  },
  {
    tool: 'alembic',
    table: 'alembic_version',
    columns: ['version_num'],
    newest: (table) => `SELECT string_agg(version_num, ', ' ORDER BY version_num) AS version FROM ${table}`,
  },
  {
    tool: 'knex',
    table: 'knex_migrations',
    columns: ['id', 'name', 'batch'],
    newest: (table) => `SELECT name AS version FROM ${table} ORDER BY id DESC LIMIT 1`,
  },
  {
    tool: 'flyway',
    table: 'flyway_schema_history',
    columns: ['installed_rank', 'version', 'description', 'success'],
    newest: (table) =>
      `SELECT version || ' ' || description AS version FROM ${table}
       WHERE success AND version IS NOT NULL ORDER BY installed_rank DESC LIMIT 1`,
  },
  {
    tool: 'rails',
    table: 'schema_migrations',
    columns: ['version'],
    newest: (table) => `SELECT max(version::text) AS version FROM ${table}`,
  },
];

/**
 * The versions that other tools have recorded, in the order of tool and journal. A journal that the role may not read is left
 * out: the label is for people, and no archive fails for it.
 */
export async function readOtherJournals(client: ClientBase): Promise<SchemaVersion[]> {
  const tables = await client.query<{ schema: string; name: string; columns: string[] }>(
    `SELECT n.nspname AS schema, c.relname AS name,
            ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relname = ANY ($1) AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid)
     ORDER BY n.nspname, c.relname`,
    [JOURNALS.map(({ table }) => table)],
  );
  const versions: SchemaVersion[] = [];
  for (const { tool, table, columns, newest } of JOURNALS) {
    for (const found of tables.rows) {
      if (found.name !== table || columns.some((column) => !found.columns.includes(column))) continue;
      const name = `${escapeIdentifier(found.schema)}.${escapeIdentifier(found.name)}`;
      const [row] = (await client.query<{ version: string | null }>(newest(name))).rows;
      if (row?.version) versions.push({ tool, journal: `${found.schema}.${found.name}`, version: row.version });
    }
  }
  return versions;
}
