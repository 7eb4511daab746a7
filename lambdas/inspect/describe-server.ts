import type { ClientBase } from 'pg';
import type { DatabaseName } from '../../core/contract';
import { readIdentity } from '../../core/database/identity';
import { OWN_EXTENSIONS } from '../../core/database/own-extensions';
import type { InspectionReport } from './contract';

type Report = InspectionReport<'server'>;

interface ServerRow {
  readonly tls: string | null;
  readonly version: string;
  readonly name: string;
  readonly superuser: boolean;
  readonly missing: string[];
  readonly read_only: boolean;
}

/** Identity, encryption, version, role and extensions of a database. */
export async function describeServer(client: ClientBase, database: DatabaseName): Promise<Report> {
  const server = await client.query<ServerRow>(
    `SELECT (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl) AS tls,
       current_setting('server_version') AS version, r.rolname AS name, r.rolsuper AS superuser,
       array_remove(ARRAY[
         CASE WHEN NOT r.rolcreatedb AND NOT r.rolsuper THEN 'CREATEDB, for restores and drills' END,
         CASE WHEN NOT has_database_privilege(current_database(), 'CREATE') THEN 'CREATE on the database, for migrations' END,
         CASE WHEN NOT pg_has_role('pg_read_all_stats', 'USAGE') THEN 'pg_read_all_stats, to see what other roles run' END
       ], NULL) AS missing,
       pg_is_in_recovery() AS read_only
     FROM pg_roles r WHERE r.rolname = current_user`,
  );
  const extensions = await client.query<Report['extensions'][number]>(
    `SELECT wanted.name, e.extversion AS installed, a.default_version AS available,
       EXISTS (SELECT FROM pg_settings WHERE name = 'shared_preload_libraries' AND setting LIKE '%' || wanted.name || '%') AS preloaded
     FROM unnest($1::text[]) AS wanted (name)
       LEFT JOIN pg_extension e ON e.extname = wanted.name
       LEFT JOIN pg_available_extensions a ON a.name = wanted.name`,
    [OWN_EXTENSIONS],
  );
  const open = await client.query<{ name: string }>(
    `SELECT n.nspname AS name FROM pg_namespace n, aclexplode(n.nspacl) AS acl
     WHERE acl.grantee = 0 AND acl.privilege_type = 'CREATE' AND n.nspname !~ '^pg_' ORDER BY 1`,
  );
  const [row] = server.rows;
  return {
    action: 'server',
    database,
    identity: (await readIdentity(client)) ?? null,
    tls: row?.tls ?? null,
    version: row?.version ?? 'unknown',
    role: { name: row?.name ?? 'unknown', superuser: row?.superuser ?? false, missing: row?.missing ?? [] },
    publicMayCreate: open.rows.map(({ name }) => name),
    extensions: extensions.rows,
    readOnly: row?.read_only ?? false,
  };
}
