import type { ClientBase } from 'pg';
import { OWN_EXTENSIONS } from '../../core/database/own-extensions';

/** Untrusted by the control file of the version that a restore would make. On RDS, members of `rds_superuser` may make those. */
const UNTRUSTED = `
  SELECT e.extname AS name, r.rolname AS role
  FROM pg_roles r CROSS JOIN pg_extension e
    JOIN pg_available_extensions a ON a.name = e.extname
    JOIN pg_available_extension_versions v ON v.name = a.name AND v.version = a.default_version
  WHERE r.rolname = current_user AND v.superuser AND NOT v.trusted AND e.extname <> ALL ($1)
    AND NOT r.rolsuper
    AND NOT EXISTS (SELECT FROM pg_roles rds WHERE rds.rolname = 'rds_superuser' AND pg_has_role(rds.oid, 'MEMBER'))
  ORDER BY 1`;

/**
 * Extensions that restores and drills may not make, which the role of the connection carries out. Those that this platform makes
 * by itself, where the server lets it, are left out: no table needs them.
 */
export async function checkExtensions(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string; role: string }>(UNTRUSTED, [OWN_EXTENSIONS]);
  return rows.map(({ name, role }) => {
    const restorer = JSON.stringify(role);
    return (
      `Extension ${name} is not trusted: restores and drills, which ${restorer} carries out, leave it out with what depends on it, or fail where rows do. ` +
      `On RDS: GRANT rds_superuser TO ${restorer}. Elsewhere: set trusted = true in its control file, or write down how to make it after a restore`
    );
  });
}
