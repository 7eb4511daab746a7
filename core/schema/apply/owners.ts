import { type ClientBase, escapeIdentifier } from 'pg';
import type { DumpEntry } from '../text/dump-text';
import { newOwner, schemaOfAltered } from '../text/names';
import type { Deviations } from './deviations';
import { runEntries } from './run-entries';

/** Objects named in a report for each owner; there may be thousands. */
const NAMED_OBJECTS = 5;
/** Names in SQL of a schema or database, and of the role that may create objects there. */
interface Right {
  readonly place: string;
  readonly role: string;
}

/**
 * Gives objects to their owners.
 *
 * PostgreSQL lets a role without a superuser's rights give an object only to a role that may itself create such an
 * object. In the source the owner need not have that right, so it gets it here until the objects are given.
 *
 * @param entries of type OWNER
 */
export async function restoreOwners(
  client: ClientBase,
  entries: readonly DumpEntry[],
  deviations: Deviations,
): Promise<void> {
  const { rows } = await client.query<{ restorer: string; superuser: boolean; database: string }>(
    `SELECT rolname AS restorer, rolsuper AS superuser, current_database() AS database
     FROM pg_roles WHERE rolname = current_user`,
  );
  const { restorer = '', superuser = false, database = '' } = rows[0] ?? {};
  if (superuser) return runEntries(client, inOrder(entries), deviations);
  const attainable = await leaveForeign(client, entries, restorer, deviations);
  const schemas = attainable.filter(isSchema);
  const objects = inOrder(attainable.filter((entry) => !isSchema(entry)));
  // Once a schema is given away, rights in it are the new owner's to take back.
  await withCreationRights(client, objects, restorer, database, () => runEntries(client, objects, deviations));
  await withCreationRights(client, schemas, restorer, database, () => runEntries(client, schemas, deviations));
}

const isSchema = ({ name }: DumpEntry): boolean => name.startsWith('SCHEMA ');
const isSequence = ({ name }: DumpEntry): boolean => name.startsWith('SEQUENCE ');

/** A sequence goes along with the table that it belongs to, and cannot be given away before that. */
function inOrder(entries: readonly DumpEntry[]): DumpEntry[] {
  return [...entries.filter((entry) => !isSequence(entry)), ...entries.filter(isSequence)];
}

const ownerOf = ({ statements: [statement = ''] }: DumpEntry): string => newOwner(statement) ?? '';

/** Leaves out the owners that the restoring role cannot become, with one line in the report for each. */
async function leaveForeign(
  client: ClientBase,
  entries: readonly DumpEntry[],
  restorer: string,
  deviations: Deviations,
): Promise<DumpEntry[]> {
  const byOwner = Map.groupBy(entries, ownerOf);
  const { rows } = await client.query<{ rolname: string }>(
    `SELECT rolname FROM pg_roles WHERE rolname = ANY ($1) AND pg_has_role(current_user, oid,
       CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)`,
    [[...byOwner.keys()]],
  );
  const attainable = new Set(rows.map(({ rolname }) => rolname));
  return [...byOwner].flatMap(([owner, owned]) => {
    if (attainable.has(owner)) return owned;
    const names = owned
      .slice(0, NAMED_OBJECTS)
      .map(({ name, schema }) => (schema === undefined ? name : `${name} in ${schema}`));
    const more = owned.length > NAMED_OBJECTS ? ` and ${owned.length - NAMED_OBJECTS} more` : '';
    deviations.add(
      `OWNER ${owner}`,
      `${owned.length === 1 ? '1 object stays' : `${owned.length} objects stay`} with ${restorer}: ${names.join(', ')}${more}`,
      `${restorer} is no member of ${owner}, or there is no such role`,
    );
    return [];
  });
}

async function withCreationRights(
  client: ClientBase,
  entries: readonly DumpEntry[],
  restorer: string,
  database: string,
  work: () => Promise<void>,
): Promise<void> {
  const rights = new Map<string, Right>();
  for (const entry of entries) {
    const schema = schemaOfAltered(entry.statements[0] ?? '');
    const place =
      schema === undefined ? `DATABASE ${escapeIdentifier(database)}` : `SCHEMA ${escapeIdentifier(schema)}`;
    const right = { place, role: escapeIdentifier(ownerOf(entry)) };
    if (ownerOf(entry) !== restorer) rights.set(`${right.place} ${right.role}`, right);
  }
  const granted: Right[] = [];
  for (const right of rights.values()) {
    // Where that is refused, the statement that needs it will say so.
    await client.query(`GRANT CREATE ON ${right.place} TO ${right.role}`).then(
      () => granted.push(right),
      () => undefined,
    );
  }
  await work();
  for (const { place, role } of granted) await client.query(`REVOKE CREATE ON ${place} FROM ${role}`);
}
