import type { ClientBase } from 'pg';
import { InvalidRequestError } from '../runtime/errors';
import { CLONE_SUFFIX, type AccessPolicy } from './policy';

/** Roles that an error names: a server of several applications has more than a line holds. */
const NAMED = 20;

/**
 * Checks that every role to keep exists. A plan is read for whom it locks out: one with a mistyped role would show a grant, and leave the
 * application without it.
 *
 * @param made roles that the plan creates
 * @throws InvalidRequestError that names the roles of the server which are neither its own nor of the policy
 */
export async function assertRolesExist(
  client: ClientBase,
  policy: AccessPolicy,
  keep: readonly string[],
  made: readonly string[],
): Promise<void> {
  if (keep.length === 0) return;
  const ours = [
    ...policy.groups.map(({ name }) => name),
    ...Object.values(policy.logins).flatMap(({ name }) => [name, name + CLONE_SUFFIX]),
  ];
  const { rows } = await client.query<{ name: string; offered: boolean }>(
    `SELECT rolname::text AS name, NOT rolsuper AND rolname !~ '^(pg_|rds)' AND rolname <> ALL ($1) AS offered
     FROM pg_roles ORDER BY 1`,
    [ours],
  );
  const known = new Set([...made, ...rows.map(({ name }) => name)]);
  const unknown = keep.filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  const offered = rows.flatMap((role) => (role.offered ? [role.name] : []));
  const more = offered.length > NAMED ? ` and ${offered.length - NAMED} more` : '';
  const roles = offered.length === 0 ? 'no role of an application' : offered.slice(0, NAMED).join(', ') + more;
  throw new InvalidRequestError(`keep: the server has no role ${unknown.join(', ')}. It has: ${roles}`);
}
