import { type ClientBase, escapeLiteral } from 'pg';
import { readCatalog } from './catalog';
import type { AccessChange } from './change';
import { identifier } from './desired';
import { planGrants, type AccessWishes } from './plan';
import type { AccessPolicy } from './policy';
import { scramVerifier } from './scram';

/** Changes of roles commit within milliseconds: a session that holds a lock for longer is stuck, and is not waited for. */
const LOCK_TIMEOUT_MS = 5_000;

/** Makes the changes of a plan, all or none. */
export async function applyAccess(client: ClientBase, changes: readonly Pick<AccessChange, 'sql'>[]): Promise<void> {
  if (changes.length === 0) return;
  await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}; SET statement_timeout = 0`);
  // In one message, which PostgreSQL runs as one transaction.
  await client.query(changes.map(({ sql }) => sql).join(';\n'));
}

/** Gives a login a password, which the statement does not hold. */
export async function setPassword(client: ClientBase, user: string, password: string): Promise<void> {
  await client.query(`ALTER ROLE ${identifier(user)} PASSWORD ${escapeLiteral(scramVerifier(password))}`);
}

/** Whether the groups of a policy were made on this server, and may use the database. */
export async function isAdopted(client: ClientBase, { groups }: AccessPolicy): Promise<boolean> {
  const { rows } = await client.query<{ adopted: boolean }>(
    `SELECT count(*) = $2 AS adopted FROM pg_roles r, pg_database d
     WHERE d.datname = current_database() AND r.rolname = ANY ($1)
       AND EXISTS (SELECT FROM aclexplode(d.datacl) a WHERE a.grantee = r.oid AND a.privilege_type = 'CONNECT')`,
    [groups.map(({ name }) => name), groups.length],
  );
  return rows[0]?.adopted ?? false;
}

/**
 * Brings the privileges of the groups up to the tables that a migration made, in a database that adopted them: new tables are
 * readable by default, and columns with personal data are withheld here.
 */
export async function refreshGrants(
  client: ClientBase,
  policy: AccessPolicy,
  { whole }: Pick<AccessWishes, 'whole'>,
): Promise<void> {
  if (!(await isAdopted(client, policy))) return;
  const { changes } = planGrants(await readCatalog(client), policy, { keep: [], whole });
  const ours = new Set(policy.groups.map(({ name }) => name));
  // A migration takes nothing from applications: grants to PUBLIC that were made since are shown by `ops access plan`.
  await applyAccess(
    client,
    changes.filter(({ role }) => ours.has(role)),
  );
}
