import type { DumpEntry } from './text/dump-text';
import { parseName } from './text/names';
import { tokens } from '../database/sql-scanner';

/** Names that PostgreSQL gives to columns after a cast, where they differ from the type's name in SQL. */
const COLUMN_NAMES: Readonly<Record<string, string>> = {
  bigint: 'int8',
  boolean: 'bool',
  character: 'bpchar',
  'character varying': 'varchar',
  'double precision': 'float8',
  integer: 'int4',
  real: 'float4',
  smallint: 'int2',
  'time with time zone': 'timetz',
  'time without time zone': 'time',
  'timestamp with time zone': 'timestamptz',
  'timestamp without time zone': 'timestamp',
};
/** Casts, brackets and blanks, which PostgreSQL moves when it reads an expression that it has written. */
const WORDING = /::(?:"[^"]+"|[a-z_][\w. ]*)(?:\([\d, ]+\))?(?:\[\])*|[()\s]/g;

/**
 * An expression without what may change when it is written, read and written again: `(ARRAY['a'::varchar])::text[]` becomes
 * `ARRAY[('a'::varchar)::text]`.
 */
export function withoutWording(sql: string): string {
  return sql.replaceAll(WORDING, '');
}

const SQL_BODY = /^CREATE (?:FUNCTION|PROCEDURE) .*\bBEGIN ATOMIC\n/s;
const QUERY = /^(?:VIEW|MATERIALIZED VIEW|RULE)$/;
const NAMED_CAST = /::([a-z][a-z0-9_ ]*)(\([\d, ]+\))? AS "?([a-z][a-z0-9_]*)"?(?=[,;\n)])/g;

/**
 * The statements of an entry in the form that a round trip through another database keeps.
 *
 * Not even native pg_dump's text stays the same: the body of a function that is written as SQL gets names for columns
 * that had none, as do the columns of a view's inner queries that nothing refers to, and roles of policies and privileges
 * come in the order of their making. A name that is visible is written in any case, so leaving out one that the cast implies hides
 * no difference.
 */
export function normalisedStatements({ type, settings, statements }: DumpEntry): string[] {
  const normalised = statements.map((statement) => {
    if (type === 'POLICY') return withSortedRoles(statement);
    return QUERY.test(type) || SQL_BODY.test(statement) ? withoutImpliedNames(statement) : statement;
  });
  return [...settings, ...(type === 'ACL' || type === 'DEFAULT ACL' ? normalised.toSorted() : normalised)];
}

function withoutImpliedNames(statement: string): string {
  return statement.replaceAll(NAMED_CAST, (text, typeName: string, modifier: string | undefined, alias: string) =>
    (COLUMN_NAMES[typeName] ?? typeName) === alias ? `::${typeName}${modifier ?? ''}` : text,
  );
}

/** Sorts the roles of CREATE POLICY … TO a, b. */
function withSortedRoles(statement: string): string {
  for (const { kind, from, to } of tokens(statement)) {
    if (kind === 'open') break;
    const at = kind === 'words' ? statement.slice(from, to).search(/ TO /) : -1;
    if (at < 0) continue;
    const listAt = from + at + ' TO '.length;
    const list = readList(statement, listAt);
    return statement.slice(0, listAt) + list.names.toSorted().join(', ') + statement.slice(list.end);
  }
  return statement;
}

function readList(sql: string, at: number): { readonly names: string[]; readonly end: number } {
  const names: string[] = [];
  let end = at;
  for (;;) {
    const name = parseName(sql, end);
    if (!name) return { names, end };
    names.push(sql.slice(end, name.end));
    end = name.end;
    if (!sql.startsWith(', ', end)) return { names, end };
    end += 2;
  }
}
