import { type ClientBase } from 'pg';
import { schemasOf } from './desired';
import { readCatalog, type Relation, type Routine } from './catalog';
import type { AccessPolicy } from './policy';

/** What a role may do with one object, as PostgreSQL answers it. */
export interface MatrixCell {
  /** Actions on all of it, such as `SELECT`. */
  readonly actions: readonly string[];
  /** Columns that it may read, where it may not read all. */
  readonly columns?: readonly string[];
}

export interface MatrixRow {
  /** `schema.table`, or the signature of a routine. */
  readonly object: string;
  readonly kind: Relation['kind'] | Routine['kind'] | 'schema' | 'database';
  readonly cells: readonly MatrixCell[];
}

const ACTIONS = {
  database: ['CONNECT', 'CREATE', 'TEMPORARY'],
  schema: ['USAGE', 'CREATE'],
  table: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'],
  view: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  sequence: ['SELECT', 'USAGE', 'UPDATE'],
  function: ['EXECUTE'],
  procedure: ['EXECUTE'],
} as const;

/**
 * Who may do what in a database: asked of PostgreSQL for each role, object and action, so that memberships, PUBLIC and ownership
 * are in it.
 *
 * @param roles names of existing roles, by column
 */
export async function readMatrix(
  client: ClientBase,
  policy: AccessPolicy,
  roles: readonly string[],
): Promise<MatrixRow[]> {
  const catalog = await readCatalog(client);
  const schemas = schemasOf(catalog, policy);
  const objects: Subject[] = [
    { kind: 'database', object: catalog.database, columns: [] },
    ...schemas.map((schema) => ({ kind: 'schema' as const, object: schema, columns: [] })),
    ...catalog.relations
      .filter(({ schema }) => schemas.includes(schema))
      .map(({ kind, schema, name, columns }) => ({ kind, object: `${schema}.${name}`, columns })),
    ...catalog.routines
      .filter(({ schema }) => schemas.includes(schema))
      .map(({ kind, signature, oid }) => ({ kind, object: signature, oid, columns: [] })),
  ];
  const rows: MatrixRow[] = [];
  for (const subject of objects) {
    const { kind, object } = subject;
    rows.push({ kind, object, cells: await cellsOf(client, roles, subject) });
  }
  return rows;
}

interface Subject extends Pick<MatrixRow, 'kind' | 'object'> {
  readonly columns: readonly string[];
  /** Of a routine, which PostgreSQL does not find by its signature. */
  readonly oid?: number;
}

const FAMILIES = { view: 'table', procedure: 'function' } as const;

async function cellsOf(
  client: ClientBase,
  roles: readonly string[],
  { kind, object, columns, oid }: Subject,
): Promise<MatrixCell[]> {
  const family = kind === 'view' || kind === 'procedure' ? FAMILIES[kind] : kind;
  const named = oid === undefined ? '$2::text' : '$2::oid';
  const { rows } = await client.query<{ actions: string[]; readable: string[] }>(
    `SELECT
       ARRAY(SELECT action FROM unnest($3::text[]) WITH ORDINALITY AS a (action, position)
         WHERE has_${family}_privilege(role, ${named}, action) ORDER BY position) AS actions,
       ARRAY(SELECT name FROM unnest($4::text[]) WITH ORDINALITY AS c (name, position)
         WHERE has_column_privilege(role, ${named}, name, 'SELECT') ORDER BY position) AS readable
     FROM unnest($1::name[]) WITH ORDINALITY AS r (role, position) ORDER BY r.position`,
    [roles, oid ?? object, ACTIONS[kind], kind === 'sequence' ? [] : columns],
  );
  return rows.map(({ actions, readable }) =>
    columns.length === 0 || kind === 'sequence' || actions.includes('SELECT')
      ? { actions }
      : { actions, columns: readable },
  );
}
