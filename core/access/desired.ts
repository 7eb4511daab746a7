import { escapeIdentifier } from 'pg';
import { PUBLIC, type Catalog, type Grant, type Relation } from './catalog';
import { privilegesOn, type AccessPolicy, type GroupPolicy } from './policy';

/** Name in SQL, quoted only where it has to be, as PostgreSQL's `quote_ident` spells it. */
export function identifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : escapeIdentifier(name);
}

export const qualified = (schema: string, name: string): string => `${identifier(schema)}.${identifier(name)}`;

/** Schemas whose objects the groups may use. */
export function schemasOf(catalog: Catalog, policy: AccessPolicy): string[] {
  const names = catalog.schemas.map(({ name }) => name);
  return policy.schemas === undefined ? names : names.filter((name) => policy.schemas?.includes(name));
}

/**
 * Roles whose later objects the groups get by default: the user of the session, owners of what the schemas hold, and roles that
 * had such defaults before. Without those for which the session may not set defaults.
 */
export function creatorsOf(catalog: Catalog, policy: AccessPolicy): string[] {
  const schemas = schemasOf(catalog, policy);
  const groups = policy.groups.map(({ name }) => name);
  const names = [
    catalog.owner,
    ...catalog.schemas.filter(({ name }) => schemas.includes(name)).map(({ owner }) => owner),
    ...catalog.relations.filter(({ schema }) => schemas.includes(schema)).map(({ owner }) => owner),
    ...catalog.grants.flatMap(({ grantee, creator }) => (creator && groups.includes(grantee) ? [creator] : [])),
  ];
  return [...new Set(names)].filter((name) => catalog.actsFor.includes(name));
}

/** The privileges that a policy gives to its groups in a database as it is, with those on what is made later. */
export function desiredGrants(catalog: Catalog, policy: AccessPolicy): Grant[] {
  const schemas = schemasOf(catalog, policy);
  const creators = creatorsOf(catalog, policy);
  return policy.groups.flatMap((group) => [
    { kind: 'DATABASE', object: identifier(catalog.database), privilege: 'CONNECT', grantee: group.name } as const,
    ...schemas.flatMap((schema) => [
      usage(group, schema),
      ...creators.flatMap((creator) => onFuture(group, schema, creator)),
    ]),
    ...group.uses
      .filter((schema) => !schemas.includes(schema) && catalog.schemas.some(({ name }) => name === schema))
      .map((schema): Grant => usage(group, schema)),
    ...catalog.relations
      .filter(({ schema }) => schemas.includes(schema))
      .flatMap((relation) => onRelation(group, relation, policy)),
    ...catalog.routines
      .filter(({ schema }) => schemas.includes(schema))
      .map(({ signature }): Grant => onRoutine(signature, group.name)),
  ]);
}

function onRoutine(signature: string, grantee: string): Grant {
  // PostgreSQL runs the functions of a view as the role that reads the view.
  return { kind: 'ROUTINE', object: signature, privilege: 'EXECUTE', grantee };
}

function usage({ name: grantee }: GroupPolicy, schema: string): Grant {
  return { kind: 'SCHEMA', object: identifier(schema), privilege: 'USAGE', grantee };
}

function onFuture(group: GroupPolicy, schema: string, creator: string): Grant[] {
  const grantee = group.name;
  const tables = group.exceptions[`${schema}.*`] ?? group.tables;
  const future = (what: string, privilege: string): Grant => ({
    kind: 'DEFAULT',
    object: `${identifier(schema)} ${what}`,
    privilege,
    grantee,
    creator,
  });
  return [
    ...tables.map((privilege) => future('TABLES', privilege)),
    ...sequencePrivileges(group, schema).map((privilege) => future('SEQUENCES', privilege)),
    future('FUNCTIONS', 'EXECUTE'),
  ];
}

function sequencePrivileges(group: GroupPolicy, schema: string): string[] {
  const tables = group.exceptions[`${schema}.*`] ?? group.tables;
  return group.writes && tables.includes('INSERT') ? ['SELECT', 'USAGE'] : ['SELECT'];
}

function onRelation(group: GroupPolicy, relation: Relation, { withheld }: AccessPolicy): Grant[] {
  const { schema, name, kind, columns } = relation;
  const object = qualified(schema, name);
  const grantee = group.name;
  if (kind === 'sequence') {
    return sequencePrivileges(group, schema).map((privilege) => ({ kind: 'SEQUENCE', object, privilege, grantee }));
  }
  const personal = group.seesPersonalData ? [] : (withheld[`${schema}.${name}`] ?? []);
  const hidden = personal.filter((column) => !group.needs[`${schema}.${name}`]?.includes(column));
  return privilegesOn(group, schema, name).flatMap((privilege): Grant[] => {
    // A view is read with the rights of its owner; it is not written through.
    if (kind === 'view' && privilege !== 'SELECT') return [];
    if (privilege !== 'SELECT' || hidden.length === 0) return [{ kind: 'TABLE', object, privilege, grantee }];
    return columns
      .filter((column) => !hidden.includes(column))
      .map((column) => ({ kind: 'TABLE', object, column, privilege, grantee }));
  });
}

/**
 * What PUBLIC, which is every role of the server, must not have: the right to connect, and any in the schemas. Defaults of the
 * creators included, by which PUBLIC may call each new function.
 *
 * @param creators see {@link creatorsOf}
 * @param whole whether every object of the schemas belongs to the platform; otherwise only the right to connect and to create
 */
export function isRevokedFromPublic(
  grant: Grant,
  { schemas, creators, whole }: { schemas: readonly string[]; creators: readonly string[]; whole: boolean },
): boolean {
  if (grant.grantee !== PUBLIC) return false;
  if (grant.kind === 'DATABASE') return true;
  if (grant.kind === 'SCHEMA') return whole || grant.privilege === 'CREATE';
  if (grant.kind === 'DEFAULT') return whole && creators.includes(grant.creator ?? '');
  const [schema = ''] = grant.object.split('.');
  return whole && schemas.map(identifier).includes(schema);
}
