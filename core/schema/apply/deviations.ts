import { DatabaseError } from 'pg';
import { messageOf } from '../../runtime/errors';
import type { Deviation } from '../contract';
import { parseName } from '../text/names';

export const INSUFFICIENT_PRIVILEGE = '42501';
/** An undefined table, function, object or schema. */
const UNDEFINED = ['42P01', '42883', '42704', '3F000'];
/** What is there, but for a property of it, begins otherwise. */
const NOT_MADE = /^not made\b/;
const EXTENSION_NOT_MADE = 'not made, and nothing of it in schema ';
/** How the server names what is missing: `relation "app.orders" does not exist`, `function app.touch(integer) does not exist`. */
const QUOTED = /^([a-z ]+) "([^"]+)"/;
const ROUTINE = /^(function|procedure|aggregate|routine) ([^(]+)\(/;
const OPERATOR = /^(operator) does not exist: (?:.* )?((?:\S+\.)?[-+*/<>=~!@#%^&|`?]+)(?: |$)/;
const NO_OPERATOR_CLASS = /^data type .* has no default operator class/;
const ROUTINES = ['FUNCTION', 'PROCEDURE', 'AGGREGATE'];
const VIEWS = ['VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE'];
/** Types of entries by the words of the server, where these are others. Without a table or sequence there is no restore. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  relation: [...VIEWS, 'INDEX', 'CONSTRAINT'],
  type: ['TYPE', 'SHELL TYPE', 'DOMAIN', ...VIEWS],
  function: ROUTINES,
  procedure: ROUTINES,
  aggregate: ROUTINES,
  routine: ROUTINES,
  language: ['LANGUAGE', 'PROCEDURAL LANGUAGE'],
};

/** Collects what a target did not take. */
export class Deviations {
  private readonly list: Deviation[];

  /** @param earlier what the target did not take before */
  constructor(earlier: readonly Deviation[] = []) {
    this.list = [...earlier];
  }

  add(object: string, consequence: string, error: unknown): void {
    this.list.push({ object, consequence, reason: reasonOf(error) });
  }

  /** @param statement of `CREATE EXTENSION`, which names the schema of its objects */
  addExtension(object: string, statement: string, error: unknown): void {
    this.add(object, `${EXTENSION_NOT_MADE}${schemaOfExtension(statement)}`, error);
  }

  /** Puts a deviation before all others, which a short list may leave out. */
  addFirst(deviation: Deviation): void {
    this.list.unshift(deviation);
  }

  all(): Deviation[] {
    return [...this.list];
  }

  /**
   * Whether what an error names as missing is an object that was not made before.
   *
   * @param schemas that the target has: the archived ones
   */
  explains(error: unknown, schemas: ReadonlySet<string>): boolean {
    if (!UNDEFINED.includes(stateOf(error))) return false;
    const message = messageOf(error);
    const notMade = this.list.filter(({ consequence }) => NOT_MADE.test(consequence));
    if (NO_OPERATOR_CLASS.test(message)) {
      return notMade.some(({ object }) => /^(?:EXTENSION|OPERATOR CLASS) /.test(object));
    }
    const [, kind, name] = QUOTED.exec(message) ?? ROUTINE.exec(message) ?? OPERATOR.exec(message) ?? [];
    if (kind === undefined || name === undefined) return false;
    return notMade.some(({ object, consequence }) =>
      consequence.startsWith(EXTENSION_NOT_MADE)
        ? mayBeOfExtension(kind, name, consequence.slice(EXTENSION_NOT_MADE.length), schemas)
        : isNamed(object, kind, name),
    );
  }
}

function schemaOfExtension(statement: string): string {
  const clause = ' WITH SCHEMA ';
  return parseName(statement, statement.lastIndexOf(clause) + clause.length)?.parts[0] ?? '';
}

/**
 * Whether a name may be of an extension that was not made, all of whose objects are in no archive: it has a schema that the
 * extension makes itself, or the one that its objects were in. A name without a schema is of a function's body, which may have any.
 */
function mayBeOfExtension(kind: string, name: string, own: string, schemas: ReadonlySet<string>): boolean {
  if (kind === 'schema') return !schemas.has(name);
  // Names are not quoted, and may hold dots themselves.
  const holders = [...name.matchAll(/\./g)].map(({ index }) => name.slice(0, index)).filter((holder) => holder !== '');
  return holders.includes(own) || (holders.length > 0 && !holders.some((holder) => schemas.has(holder)));
}

/** Whether a message means an object such as `FUNCTION app.touch(integer)` or `CONSTRAINT app.orders orders_pkey`, an index. */
function isNamed(object: string, kind: string, missing: string): boolean {
  const type = /^(?:[A-Z]+ )+/.exec(object)?.[0].trim() ?? '';
  if (!(TYPES[kind] ?? [kind.toUpperCase()]).includes(type)) return false;
  const [qualified = ''] = object.slice(type.length + 1).split('(');
  const [schema] = qualified.split('.');
  const name = type === 'CONSTRAINT' ? qualified.split(' ').at(-1) : qualified.split('.').at(-1);
  return [qualified, `${schema}.${name}`, name].includes(missing);
}

/** The SQLSTATE of an error of the server; empty for others. */
export function stateOf(error: unknown): string {
  return error instanceof DatabaseError ? (error.code ?? '') : '';
}

function reasonOf(error: unknown): string {
  const state = stateOf(error);
  return state === '' ? messageOf(error) : `${messageOf(error)} (SQLSTATE ${state})`;
}
