import { escapeIdentifier } from 'pg';
import { OperationError } from '../../runtime/errors';
import type { DumpEntry, DumpText } from './dump-text';
import { newOwner, parseName } from './names';
import { tokens } from '../../database/sql-scanner';

/** Types of what comes after the rows; the first of them ends what comes before. */
const AFTER_ROWS = new Set([
  'CONSTRAINT',
  'CHECK CONSTRAINT',
  'FK CONSTRAINT',
  'INDEX',
  'INDEX ATTACH',
  'STATISTICS',
  'RULE',
  'TRIGGER',
  'ROW SECURITY',
  'POLICY',
  'PUBLICATION',
  'EVENT TRIGGER',
]);
/** What rows are loaded into. */
const HOLDS_ROWS = new Set(['TABLE', 'SEQUENCE']);
/** Privileges come last but for what reacts to statements. */
const LAST = new Set(['ACL', 'DEFAULT ACL', 'EVENT TRIGGER']);

/** Whether an entry belongs behind the owners. */
export function comesLast({ type, name }: Pick<DumpEntry, 'type' | 'name'>): boolean {
  return LAST.has(type) || (/^(?:COMMENT|SECURITY LABEL)$/.test(type) && name.startsWith('EVENT TRIGGER '));
}
/** The administrator of RDS, to whom nothing can be given. It owns schema public in databases from before PostgreSQL 15. */
const PROVIDER = 'rdsadmin';
const SESSION_AUTHORIZATION: readonly (readonly [RegExp, string])[] = [
  [/^SET SESSION AUTHORIZATION /, 'SET ROLE '],
  [/^RESET SESSION AUTHORIZATION;$/, 'RESET ROLE;'],
];

/** A schema in the order of a restore: what tables need before rows, and what is quicker or only possible after them. */
export interface ArrangedSchema {
  readonly before: DumpText;
  /** Constraints, indexes and triggers; materialised views; policies; owners, privileges and event triggers. */
  readonly after: DumpText;
}

export interface ArrangeOptions {
  /** Materialised views that hold rows. */
  readonly populated: readonly { readonly schema: string; readonly name: string }[];
  /** Extensions whose comment is not the one that they bring along. */
  readonly commentedExtensions: ReadonlySet<string>;
}

/**
 * Splits a dump around its rows, takes owners out to the end, and secrets away.
 *
 * @throws OperationError `unsupported_content` for a table that can only be made after constraints
 */
export function arrange(dump: DumpText, { populated, commentedExtensions }: ArrangeOptions): ArrangedSchema {
  const entries = dump.entries
    .filter((entry) => !isOwnComment(entry, commentedExtensions))
    .map((entry) => withoutSecrets(entry));
  const structure = entries.filter((entry) => !comesLast(entry));
  const last = entries.filter(comesLast).map((entry) => forMembers(entry));
  const cut = structure.findIndex(({ type }) => AFTER_ROWS.has(type));
  const [before, after] = cut < 0 ? [structure, []] : [structure.slice(0, cut), structure.slice(cut)];
  const late = after.find(({ type }) => HOLDS_ROWS.has(type));
  if (late) {
    throw new OperationError(
      'unsupported_content',
      `${late.type} ${late.schema}.${late.name} depends on a constraint of another table, so its rows cannot be loaded before constraints: make it depend on a plain type`,
    );
  }
  const refreshes = refreshEntries(structure, populated);
  const owners = structure.flatMap((entry) => ownerEntry(entry));
  const rules = after.map((entry) => withoutOwner(entry));
  // Where row security is forced, the restoring role, which owns the tables until the end, may not read them afterwards.
  const firstPolicy = rules.findIndex(({ type }) => type === 'ROW SECURITY' || type === 'POLICY');
  const secured = firstPolicy < 0 ? rules.length : firstPolicy;
  return {
    before: { ...dump, entries: before.map((entry) => withoutOwner(entry)) },
    after: {
      ...dump,
      entries: [...rules.slice(0, secured), ...refreshes, ...rules.slice(secured), ...owners, ...last],
    },
  };
}

/** The comment that every server gives to an extension; to write it again takes the extension's owner. */
function isOwnComment(entry: DumpEntry, commented: ReadonlySet<string>): boolean {
  if (entry.type !== 'COMMENT' || !entry.name.startsWith('EXTENSION ')) return false;
  const name = parseName(entry.name, 'EXTENSION '.length);
  return name !== undefined && !commented.has(name.parts.join('.'));
}

/** User mappings carry passwords, and an archive cannot be deleted for months. */
function withoutSecrets(entry: DumpEntry): DumpEntry {
  if (entry.type !== 'USER MAPPING') return entry;
  return { ...entry, statements: entry.statements.map(withoutOptions) };
}

function withoutOptions(statement: string): string {
  for (const { kind, from, to } of tokens(statement)) {
    const at = kind === 'words' ? statement.slice(from, to).search(/ OPTIONS $/) : -1;
    if (at >= 0) return `${statement.slice(0, from + at)};`;
  }
  return statement;
}

/** Another role's grants are repeated as that role, which takes a membership where SET SESSION takes a superuser. */
function forMembers(entry: DumpEntry): DumpEntry {
  return {
    ...entry,
    statements: entry.statements.map((statement) =>
      SESSION_AUTHORIZATION.reduce((sql, [pattern, replacement]) => sql.replace(pattern, replacement), statement),
    ),
  };
}

function withoutOwner(entry: DumpEntry): DumpEntry {
  return { ...entry, statements: entry.statements.filter((statement) => newOwner(statement) === undefined) };
}

function ownerEntry(entry: DumpEntry): DumpEntry[] {
  const statements = entry.statements.filter((statement) => ![undefined, PROVIDER].includes(newOwner(statement)));
  if (statements.length === 0) return [];
  return [{ ...entry, name: `${entry.type} ${entry.name}`, type: 'OWNER', settings: [], statements }];
}

/** In the order of the dump, in which a view comes after those that it reads. */
function refreshEntries(structure: readonly DumpEntry[], populated: ArrangeOptions['populated']): DumpEntry[] {
  const wanted = new Set(populated.map(({ schema, name }) => JSON.stringify([schema, name])));
  return structure.flatMap((entry) => {
    const view = entry.type === 'MATERIALIZED VIEW' ? nameOfView(entry) : undefined;
    if (view === undefined || !wanted.has(JSON.stringify(view))) return [];
    const refresh = `REFRESH MATERIALIZED VIEW ${view.map((part) => escapeIdentifier(part)).join('.')};`;
    return [{ ...entry, type: 'MATERIALIZED VIEW DATA', settings: [], statements: [refresh] }];
  });
}

const CREATE_VIEW = 'CREATE MATERIALIZED VIEW ';

function nameOfView({ statements: [create = ''] }: DumpEntry): readonly string[] | undefined {
  return create.startsWith(CREATE_VIEW) ? parseName(create, CREATE_VIEW.length)?.parts : undefined;
}
