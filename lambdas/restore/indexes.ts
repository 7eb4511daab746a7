import { type Client, type ClientBase, DatabaseError, escapeIdentifier } from 'pg';
import { distribute } from '../shared/archive/distribute';
import type { DatabaseConnector } from '../shared/database/connector';
import { OperationError } from '../shared/errors';

const UNIQUE_VIOLATION = '23505';
/** Sorts most indexes of a billing database in memory. Each worker may use it once: the smallest tier has 4 GB. */
const SORT_MEMORY = '256MB';

interface Index {
  readonly schema: string;
  readonly name: string;
  readonly definition: string;
}

/**
 * Drops the indexes that no constraint needs, so that loading does not maintain them row by row. Those of partitioned
 * tables stay: the parts hang together.
 */
export async function removeIndexes(client: ClientBase): Promise<readonly Index[]> {
  const { rows } = await client.query<Index>(
    `SELECT n.nspname AS schema, c.relname AS name, pg_get_indexdef(c.oid) AS definition
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE t.relkind = 'r' AND NOT c.relispartition AND i.indisvalid AND NOT i.indisreplident
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e')
     ORDER BY n.nspname, c.relname`,
  );
  for (const { schema, name } of rows) {
    await client.query(`DROP INDEX ${escapeIdentifier(schema)}.${escapeIdentifier(name)}`);
  }
  return rows;
}

/**
 * Builds the indexes again, several at a time.
 *
 * @throws OperationError `archive_inconsistent` naming the unique index that the data violates
 */
export async function rebuildIndexes(
  connector: DatabaseConnector,
  targetDatabase: string,
  indexes: readonly Index[],
  workers: number,
): Promise<void> {
  const builders: Client[] = [];
  try {
    while (builders.length < Math.min(workers, indexes.length)) {
      const builder = await connector.connect(targetDatabase);
      builders.push(builder);
      await builder.query(`SET statement_timeout = 0; SET maintenance_work_mem = '${SORT_MEMORY}'`);
    }
    await distribute(indexes, builders, async ({ name, definition }, builder) => {
      await builder.query(definition).catch((cause: unknown) => {
        if (!(cause instanceof DatabaseError) || cause.code !== UNIQUE_VIOLATION) throw cause;
        throw new OperationError(
          'archive_inconsistent',
          `Unique index ${name} does not hold in the archive: ${cause.detail ?? cause.message}`,
          { cause },
        );
      });
    });
  } finally {
    await Promise.all(builders.map((builder) => builder.end().catch(() => undefined)));
  }
}
