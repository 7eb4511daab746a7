import { type ClientBase, escapeIdentifier } from 'pg';
import { setPassword } from '../../core/access/apply';
import { CLONE_SUFFIX } from '../../core/access/policy';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { OperationError } from '../../core/runtime/errors';
import { type AccessRequest, type AccessSettings, canLogIn, ownerAt, staleLogins } from './access';
import type { AccessReport } from './contract';

/**
 * Gives logins the passwords of their secrets where they cannot log in with them, and changes nothing else. An instance that was
 * recovered has the users and passwords of its moment: of a pair of which only one was there, the other is made, as the rotation
 * would.
 *
 * @throws OperationError `access_refused` naming a login that the instance lacks, or that cannot log in for another reason
 */
export async function bringPasswords(
  connector: DatabaseConnector,
  settings: AccessSettings | undefined,
  { database, host, dryRun }: AccessRequest,
): Promise<AccessReport> {
  const owner = ownerAt(connector, settings, host);
  const stale = await staleLogins(owner, settings);
  if (!dryRun && stale.length > 0) {
    await withConnection(owner, async (client) => {
      for (const { username, password } of stale) {
        await assertThere(client, username);
        await setPassword(client, username, password);
      }
    });
    for (const found of stale) {
      if (!(await canLogIn(owner, found))) throw refused(found.username, 'may not connect to the database');
    }
  }
  const passwords = stale.map(({ username }) => username);
  return { database, dryRun, changes: [], passwords, locksOut: [], obstacles: [] };
}

const refused = (user: string, why: string) =>
  new OperationError(
    'access_refused',
    `The login ${user} ${why}, and functions would be refused: bring roles and privileges up by ops access apply with --host, then repeat this`,
  );

/** @throws OperationError `access_refused` where neither user of the pair exists */
async function assertThere(client: ClientBase, user: string): Promise<void> {
  const other = user.endsWith(CLONE_SUFFIX) ? user.slice(0, -CLONE_SUFFIX.length) : user + CLONE_SUFFIX;
  const { rows } = await client.query<{ name: string }>(
    'SELECT rolname::text AS name FROM pg_roles WHERE rolname = ANY ($1)',
    [[user, other]],
  );
  const present = rows.map(({ name }) => name);
  if (present.includes(user)) return;
  if (!present.includes(other)) throw refused(user, 'does not exist there');
  await client.query(
    `CREATE ROLE ${escapeIdentifier(user)} LOGIN; GRANT ${escapeIdentifier(other)} TO ${escapeIdentifier(user)}`,
  );
}
