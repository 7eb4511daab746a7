import { OperationError } from '../../runtime/errors';
import { StatementTracker, tokens, UnterminatedError } from '../../database/sql-scanner';

/** One object of a dump, or one property of an object: pg_dump writes a header and statements for each. */
export interface DumpEntry {
  /** For people: line breaks are blanks, and nothing is quoted. */
  readonly name: string;
  /** `TABLE`, `FK CONSTRAINT`, `ACL` … */
  readonly type: string;
  /** @default the object belongs to no schema */
  readonly schema?: string;
  /** @default the object has no owner */
  readonly owner?: string;
  /** Settings of the session that the statements need, such as a table access method. */
  readonly settings: readonly string[];
  /** With their semicolons. */
  readonly statements: readonly string[];
}

/** A text of pg_dump, taken apart. */
export interface DumpText {
  /** Key of the `\restrict` line; the texts of one archive share it. */
  readonly restrictKey: string;
  /** Lines that name server and program. */
  readonly versions: string;
  /** Settings of the session, before the first entry. */
  readonly preamble: readonly string[];
  readonly entries: readonly DumpEntry[];
}

const FRAME =
  /^--\n-- PostgreSQL database dump\n--\n\n\\restrict ([A-Za-z0-9]+)\n\n((?:-- Dumped [^\n]*\n)*)(.*)\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict \1\n\n$/s;
const HEADER_TYPE = /; Type: ([A-Z ]+); Schema: /g;
/** They stand before the header of the entry that needs them. */
const SETTING = /^SET default_/;
/** The only ways in which pg_dump begins a statement of a schema. */
const STATEMENT =
  /^(?:CREATE|ALTER|COMMENT ON|SECURITY LABEL|GRANT|REVOKE|REFRESH MATERIALIZED VIEW|SET|RESET|SELECT pg_catalog\.set_config\()/;

/**
 * Takes the text of a dump apart.
 *
 * @param label what the text is called in errors, such as the key of its object
 * @throws OperationError `schema_malformed` when the text is cut off, holds a command of psql or a statement that pg_dump
 * never writes, or is otherwise not the text of a schema
 */
export function parseDump(text: string, label: string): DumpText {
  const frame = FRAME.exec(text);
  if (!frame) {
    throw malformed(label, 'it is cut off, or no text of pg_dump: its first or its last lines are missing');
  }
  const [, restrictKey = '', versions = '', body = ''] = frame;
  const { preamble, entries } = readEntries(`${body}\n`, label);
  return { restrictKey, versions, preamble, entries };
}

/** The text of a dump: what {@link parseDump} takes apart, and what psql restores from. */
export function renderDump({ restrictKey, versions, preamble, entries }: DumpText): string {
  const blocks = entries.map((entry) =>
    [
      ...entry.settings.map((setting) => `${setting}\n`),
      '--',
      `-- Name: ${entry.name}; Type: ${entry.type}; Schema: ${entry.schema ?? '-'}; Owner: ${entry.owner ?? '-'}`,
      '--\n',
      ...entry.statements,
      '\n',
    ].join('\n'),
  );
  return [
    '--\n-- PostgreSQL database dump\n--\n',
    `\\restrict ${restrictKey}\n`,
    versions,
    `${preamble.join('\n')}\n`,
    ...blocks,
    '--\n-- PostgreSQL database dump complete\n--\n',
    `\\unrestrict ${restrictKey}\n\n`,
  ].join('\n');
}

interface OpenEntry {
  readonly header: string;
  readonly settings: string[];
  readonly statements: string[];
}

function readEntries(body: string, label: string): Pick<DumpText, 'preamble' | 'entries'> {
  const preamble: string[] = [];
  const entries: DumpEntry[] = [];
  let open: OpenEntry | undefined;
  let settings: string[] = [];
  const close = (): void => {
    if (open) entries.push(closeEntry(open, label));
  };
  for (const piece of pieces(body, label)) {
    if (piece.kind === 'header') {
      close();
      open = { header: piece.text, settings, statements: [] };
      settings = [];
    } else if (SETTING.test(piece.text)) settings.push(piece.text);
    else if (!STATEMENT.test(piece.text)) {
      throw malformed(label, `pg_dump never writes a statement such as: ${excerpt(piece.text)}`);
    } else (open?.statements ?? preamble).push(piece.text);
  }
  close();
  return { preamble, entries };
}

interface Piece {
  readonly kind: 'header' | 'statement';
  readonly text: string;
}

/** Headers and statements, in order. */
function* pieces(body: string, label: string): Generator<Piece, void> {
  const tracker = new StatementTracker();
  let from: number | undefined;
  try {
    for (const token of tokens(body)) {
      if (token.kind === 'backslash') {
        throw malformed(label, `it holds a command of psql outside of quotes: ${excerpt(body.slice(token.from))}`);
      }
      if (token.kind === 'comment' && from === undefined) {
        const comment = body.slice(token.from, token.to);
        if (comment.startsWith('-- Name: ')) yield { kind: 'header', text: comment };
        continue;
      }
      from ??= token.from;
      if (!tracker.follow(token, body)) continue;
      yield { kind: 'statement', text: body.slice(from, token.to).trimStart() };
      from = undefined;
    }
  } catch (error) {
    if (error instanceof UnterminatedError)
      throw malformed(label, `${error.message}: ${excerpt(body.slice(error.at))}`);
    throw error;
  }
  if (from !== undefined) throw malformed(label, `a statement has no end: ${excerpt(body.slice(from))}`);
}

function closeEntry({ header, settings, statements }: OpenEntry, label: string): DumpEntry {
  return { ...readHeader(header, statements[0] ?? '', label), settings, statements };
}

/**
 * Reads a header. A name may hold what looks like the rest of a header: where several readings are possible, the
 * statement shows which type the entry has.
 */
function readHeader(
  header: string,
  statement: string,
  label: string,
): Pick<DumpEntry, 'name' | 'type' | 'schema' | 'owner'> {
  const readings = [...header.matchAll(HEADER_TYPE)].map((found) => {
    const rest = header.slice(found.index + found[0].length);
    const ownerAt = rest.lastIndexOf('; Owner: ');
    return {
      name: header.slice('-- Name: '.length, found.index),
      type: found[1] ?? '',
      ...named('schema', rest.slice(0, ownerAt)),
      ...named('owner', rest.slice(ownerAt + '; Owner: '.length)),
    };
  });
  const fitting = readings.length > 1 ? readings.filter(({ type }) => fits(type, statement)) : readings;
  const [reading] = fitting;
  if (reading && fitting.every(({ type }) => type === reading.type)) return reading;
  throw malformed(label, `a header cannot be read: ${excerpt(header)}`);
}

function named<Key extends string>(key: Key, value: string): { readonly [key in Key]?: string } {
  return value === '-' || value === '' ? {} : ({ [key]: value } as { readonly [key in Key]: string });
}

/** Statements by which entries begin whose type is no kind of object that is created. */
const OTHER_BEGINNINGS: readonly (readonly [RegExp, RegExp])[] = [
  [/^COMMENT$/, /^COMMENT ON /],
  [/^SECURITY LABEL$/, /^SECURITY LABEL /],
  [/^ACL$/, /^(?:GRANT|REVOKE|SET SESSION AUTHORIZATION|SET ROLE) /],
  [/^DEFAULT ACL$/, /^ALTER DEFAULT PRIVILEGES /],
  [
    /^(?:.* )?(?:CONSTRAINT|ATTACH|OWNED BY|SECURITY|DEFAULT|OWNER)$|^PUBLICATION TABLE/,
    /^ALTER (?!DEFAULT PRIVILEGES )/,
  ],
  [/^MATERIALIZED VIEW DATA$/, /^REFRESH /],
  [/^RULE$/, /^CREATE (?:OR REPLACE VIEW|RULE) /],
  [/^TRIGGER$/, /^(?:CREATE (?:CONSTRAINT )?TRIGGER|ALTER TABLE) /],
];

function fits(type: string, statement: string): boolean {
  const other = OTHER_BEGINNINGS.find(([types]) => types.test(type));
  if (other) return other[1].test(statement);
  return new RegExp(`^CREATE (?:[A-Z]+ )*?${type} `).test(statement);
}

function excerpt(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > 80 ? `${line.slice(0, 80)}…` : line;
}

function malformed(label: string, problem: string): OperationError {
  return new OperationError('schema_malformed', `${label} cannot be restored: ${problem}`);
}
