import { escapeIdentifier } from 'pg';
import type { DumpEntry } from './dump-text';
import { parseName, type ParsedName } from './names';

const ALTER_TABLE = 'ALTER TABLE ';
const ONLY = 'ONLY ';
const ADD_CONSTRAINT = '\n    ADD CONSTRAINT ';
const CREATE_INDEX = /^CREATE (?:UNIQUE )?INDEX /;
const ON = ' ON ';

/** The table that an index, or a constraint with its index, is built on, as `"schema"."name"`; `undefined` for others. */
export function indexedTable({ type, settings, statements }: DumpEntry): string | undefined {
  const [statement = ''] = statements;
  if (settings.length > 0) return undefined;
  if (type === 'CONSTRAINT') return nameOf(alteredTable(statement));
  if (type !== 'INDEX') return undefined;
  const start = CREATE_INDEX.exec(statement)?.[0];
  const index = start === undefined ? undefined : parseName(statement, start.length);
  if (!index || !statement.startsWith(ON, index.end)) return undefined;
  const at = index.end + ON.length;
  // An index of a partitioned table is built on its partitions.
  return statement.startsWith(ONLY, at) ? undefined : nameOf(parseName(statement, at));
}

/** A foreign key of one table, which can be added without checking its rows, and checked later. */
export interface SplitForeignKey {
  /** `"schema"."name"` of the table. */
  readonly table: string;
  /** Adds the key for new rows alone. */
  readonly unchecked: DumpEntry;
  /** Checks all rows against it. */
  readonly check: DumpEntry;
}

/** Splits a foreign key; `undefined` where that is not possible, as for a partitioned table, or where nothing is checked. */
export function splitForeignKey(entry: DumpEntry): SplitForeignKey | undefined {
  const [statement = '', ...others] = entry.statements;
  if (entry.type !== 'FK CONSTRAINT' || others.length > 0 || entry.settings.length > 0) return undefined;
  if (!statement.startsWith(ALTER_TABLE + ONLY) || / NOT VALID;$| NOT ENFORCED;$/.test(statement)) return undefined;
  const parsed = alteredTable(statement);
  const table = nameOf(parsed);
  if (!parsed || table === undefined || !statement.startsWith(ADD_CONSTRAINT, parsed.end)) return undefined;
  const constraint = parseName(statement, parsed.end + ADD_CONSTRAINT.length);
  if (constraint?.parts.length !== 1) return undefined;
  const name = constraint.parts.map((part) => escapeIdentifier(part)).join('');
  return {
    table,
    unchecked: { ...entry, statements: [statement.replace(/;$/, ' NOT VALID;')] },
    check: { ...entry, statements: [`ALTER TABLE ${table} VALIDATE CONSTRAINT ${name};`] },
  };
}

/** A check that can be added without checking rows. */
export interface SplitCheck {
  /** Adds it for new rows alone. */
  readonly unchecked: string;
  /** Checks all rows against it. */
  readonly check: string;
}

const ALTER_CHECKED = /^ALTER (?:TABLE|FOREIGN TABLE|DOMAIN) (?:ONLY )?/;

/** Splits a check of a table or domain; `undefined` where nothing is checked. */
export function splitCheck({ type, statements: [statement = '', ...others] }: DumpEntry): SplitCheck | undefined {
  const start = ALTER_CHECKED.exec(statement)?.[0];
  if (type !== 'CHECK CONSTRAINT' || start === undefined || / NOT (?:VALID|ENFORCED);$/.test(statement))
    return undefined;
  const holder = parseName(statement, start.length);
  if (!holder || !statement.startsWith(ADD_CONSTRAINT, holder.end)) return undefined;
  const constraint = parseName(statement, holder.end + ADD_CONSTRAINT.length);
  if (!constraint) return undefined;
  const name = statement.slice(holder.end + ADD_CONSTRAINT.length, constraint.end);
  return {
    unchecked: [statement.replace(/;$/, ' NOT VALID;'), ...others].join('\n'),
    check: `${statement.slice(0, holder.end)} VALIDATE CONSTRAINT ${name};`,
  };
}

function alteredTable(statement: string): ParsedName | undefined {
  if (!statement.startsWith(ALTER_TABLE)) return undefined;
  const at = ALTER_TABLE.length;
  return parseName(statement, statement.startsWith(ONLY, at) ? at + ONLY.length : at);
}

function nameOf(parsed: ParsedName | undefined): string | undefined {
  if (parsed?.parts.length !== 2) return undefined;
  return parsed.parts.map((part) => escapeIdentifier(part)).join('.');
}
