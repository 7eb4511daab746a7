import type { ClientBase } from 'pg';
import type { Catalog, Routine } from './catalog';
import { identifier, schemasOf } from './desired';
import type { AccessPolicy } from './policy';

/** Schema of the temporary tables of a session. Where a search path does not name it, PostgreSQL looks there first. */
const TEMPORARY = 'pg_temp';

/**
 * Who may create objects in each schema, of which a routine of an owner finds its objects; PUBLIC before roles, and groups before
 * logins. Without those who gain nothing by it: superusers, those who may act as the owner of the routine, and the owner of the
 * database. A schema that does not exist yet may be made by who may create schemas.
 */
const CREATORS = `
  SELECT DISTINCT ON (position) schema, creator
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS searched (owner, schema, position)
  CROSS JOIN LATERAL (
    SELECT 0::oid AS role, 'PUBLIC' AS creator, 0 AS rank
    UNION ALL
    SELECT r.oid, quote_ident(r.rolname), CASE WHEN r.rolcanlogin THEN 2 ELSE 1 END
    FROM pg_roles r, pg_database d
    WHERE d.datname = current_database() AND NOT r.rolsuper AND r.rolname !~ '^pg_'
      AND NOT pg_has_role(r.oid, searched.owner, 'MEMBER') AND NOT pg_has_role(r.oid, d.datdba, 'MEMBER')
  ) AS candidate
  WHERE CASE WHEN to_regnamespace(quote_ident(schema)) IS NULL
    THEN has_database_privilege(role, current_database(), 'CREATE')
    ELSE has_schema_privilege(role, quote_ident(schema), 'CREATE') END
  ORDER BY position, rank, creator`;

/**
 * Functions and procedures that run as their owner and may find an object of another role before the one they mean, a sentence
 * each. See "Writing SECURITY DEFINER Functions Safely" in PostgreSQL's CREATE FUNCTION.
 */
export async function unsafeRoutines(client: ClientBase, catalog: Catalog, policy: AccessPolicy): Promise<string[]> {
  const schemas = schemasOf(catalog, policy);
  const sentences: string[] = [];
  for (const routine of catalog.routines) {
    if (!schemas.includes(routine.schema) || !routine.securityDefiner) continue;
    const fault = await faultOf(client, routine);
    if (fault !== undefined) sentences.push(fault);
  }
  return sentences;
}

async function faultOf(client: ClientBase, { signature, owner, searchPath }: Routine): Promise<string | undefined> {
  const set = (schemas: readonly string[]) =>
    `ALTER ROUTINE ${signature} SET search_path = ${[...schemas.map(identifier), TEMPORARY].join(', ')}`;
  const closed = `${set(['pg_catalog'])} and qualify the names in its body`;
  if (searchPath === null) return `${signature} runs as its owner with the search path of its caller: ${closed}`;
  const path = schemasIn(searchPath);
  const searched = path.filter((schema) => schema !== TEMPORARY);
  const named = searched.map((schema) => (schema === '$user' ? owner : schema));
  const { rows } = await client.query<{ schema: string; creator: string }>(CREATORS, [named.map(() => owner), named]);
  const [first] = rows;
  if (first) {
    const schema = identifier(first.schema);
    return `${signature} runs as its owner and looks for objects in ${schema}, where ${first.creator} may create them: ${closed}`;
  }
  if (path.indexOf(TEMPORARY) === path.length - 1 && path.length > 0) return undefined;
  return `${signature} runs as its owner and finds temporary tables of its caller first: ${set(searched)}`;
}

/** Names in a list that PostgreSQL stores: in quotes where they have to be, separated by commas. An empty name is no schema. */
function schemasIn(list: string): string[] {
  return [...list.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)]
    .map(([, quoted, bare = '']) => quoted?.replaceAll('""', '"') ?? bare.toLowerCase())
    .filter((name) => name !== '');
}
