import { type ClientBase } from 'pg';
import { schemasOf } from './desired';
import { readCatalog, type Relation } from './catalog';
import type { AccessPolicy } from './policy';

/** What a role may do with one object, as PostgreSQL answers it. */
export interface MatrixCell {
  /** Actions on all of it, such as `SELECT`. */
  readonly actions: readonly string[];
  /** Columns that it may read, where it may not read all. */
  readonly columns?: readonly string[];
}

export interface MatrixRow {
  /** `schema.table`. */
  readonly object: string;
  readonly kind: Relation['kind'] | 'schema' | 'database';
  readonly cells: readonly MatrixCell[];
}

const ACTIONS = {
  database: ['CONNECT', 'CREATE', 'TEMPORARY'],
  schema: ['USAGE', 'CREATE'],
  table: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'],
  view: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  sequence: ['SELECT', 'USAGE', 'UPDATE'],
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
  const objects = [
    { kind: 'database' as const, object: catalog.database, columns: [] },
    ...schemas.map((schema) => ({ kind: 'schema' as const, object: schema, columns: [] })),
    ...catalog.relations
      .filter(({ schema }) => schemas.includes(schema))
      .map(({ kind, schema, name, columns }) => ({ kind, object: `${schema}.${name}`, columns })),
  ];
  const rows: MatrixRow[] = [];
  for (const { kind, object, columns } of objects) {
    const cells: MatrixCell[] = [];
    for (const role of roles) cells.push(await cellOf(client, role, { kind, object, columns }));
    rows.push({ kind, object, cells });
  }
  return rows;
}

async function cellOf(
  client: ClientBase,
  role: string,
  { kind, object, columns }: Pick<MatrixRow, 'kind' | 'object'> & { readonly columns: readonly string[] },
): Promise<MatrixCell> {
  const family = kind === 'view' ? 'table' : kind;
  const { rows } = await client.query<{ action: string; held: boolean }>(
    `SELECT action, has_${family}_privilege($1, $2, action) AS held FROM unnest($3::text[]) AS action`,
    [role, object, ACTIONS[kind]],
  );
  const actions = rows.filter(({ held }) => held).map(({ action }) => action);
  if (columns.length === 0 || kind === 'sequence' || actions.includes('SELECT')) return { actions };
  const readable = await client.query<{ name: string }>(
    `SELECT name FROM unnest($3::text[]) WITH ORDINALITY AS c (name, position)
     WHERE has_column_privilege($1, $2, name, 'SELECT') ORDER BY position`,
    [role, object, columns],
  );
  return { actions, columns: readable.rows.map(({ name }) => name) };
}
