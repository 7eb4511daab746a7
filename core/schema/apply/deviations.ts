import { DatabaseError } from 'pg';
import { messageOf } from '../../runtime/errors';
import type { Deviation } from '../contract';

export const INSUFFICIENT_PRIVILEGE = '42501';
const UNDEFINED_SCHEMA = '3F000';
/** An undefined table, column, function, object or schema. */
const UNDEFINED = ['42P01', '42703', '42883', '42704', UNDEFINED_SCHEMA];
/** What is there, but for a property of it, begins otherwise. */
const NOT_MADE = /^not made\b/;
/** Names in messages of the server: `relation "app.orders" does not exist`, `function app.touch(integer) does not exist`. */
const QUOTED = /"((?:[^"]|"")+)"/g;
const UNQUOTED = /^(?:function|procedure|aggregate|routine|type|operator) ([^"(\s]+)\(?/;
const OPERATOR = /^operator does not exist: (.*)$/;
const NO_OPERATOR_CLASS = /^data type .* has no default operator class/;

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

  /** Puts a deviation before all others, which a short list may leave out. */
  addFirst(deviation: Deviation): void {
    this.list.unshift(deviation);
  }

  all(): Deviation[] {
    return [...this.list];
  }

  /** Whether what an error names as missing is an object that was not made before. */
  explains(error: unknown): boolean {
    const state = stateOf(error);
    if (!UNDEFINED.includes(state)) return false;
    const message = messageOf(error);
    const missing = namesIn(message);
    return this.list.some(({ object, consequence }) => {
      if (!NOT_MADE.test(consequence)) return false;
      if (NO_OPERATOR_CLASS.test(message) && object.startsWith('OPERATOR CLASS ')) return true;
      // What an extension makes is in no archive. Everything else is there, or in this list by its own name; and a name
      // without its schema is of a function's body, which may have any.
      if (object.startsWith('EXTENSION ')) return state === UNDEFINED_SCHEMA || isOfExtension(message, missing);
      return namesOf(object).some((name) => missing.includes(name));
    });
  }
}

function namesIn(message: string): string[] {
  const [, unquoted] = UNQUOTED.exec(message) ?? [];
  const [, operation = ''] = OPERATOR.exec(message) ?? [];
  return [
    ...[...message.matchAll(QUOTED)].map(([, name = '']) => name),
    ...(unquoted === undefined ? [] : [unquoted]),
    ...operation.split(' '),
  ];
}

function isOfExtension(message: string, missing: readonly string[]): boolean {
  return NO_OPERATOR_CLASS.test(message) || missing.some((name) => name.includes('.'));
}

/** How a message may name an object such as `FUNCTION app.touch(integer)` or `FK CONSTRAINT app.orders orders_fkey`. */
function namesOf(object: string): string[] {
  const [type = ''] = /^(?:[A-Z]+ )+/.exec(object) ?? [];
  const [name = ''] = object.slice(type.length).split('(');
  const qualified = name.trim();
  const last = type.endsWith('CONSTRAINT ') ? qualified.split(' ').at(-1) : qualified.split('.').at(-1);
  return [qualified, ...(last === undefined ? [] : [last])];
}

/** The SQLSTATE of an error of the server; empty for others. */
export function stateOf(error: unknown): string {
  return error instanceof DatabaseError ? (error.code ?? '') : '';
}

function reasonOf(error: unknown): string {
  const state = stateOf(error);
  return state === '' ? messageOf(error) : `${messageOf(error)} (SQLSTATE ${state})`;
}
