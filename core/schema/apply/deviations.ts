import { DatabaseError } from 'pg';
import { messageOf } from '../../runtime/errors';
import type { Deviation } from '../contract';

export const INSUFFICIENT_PRIVILEGE = '42501';
/** An undefined table, column, function, object or schema. */
const UNDEFINED = ['42P01', '42703', '42883', '42704', '3F000'];

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

  /** Whether an object that is missing may be one that was not made before. */
  explains(error: unknown): boolean {
    return this.list.length > 0 && UNDEFINED.includes(stateOf(error));
  }
}

/** The SQLSTATE of an error of the server; empty for others. */
export function stateOf(error: unknown): string {
  return error instanceof DatabaseError ? (error.code ?? '') : '';
}

function reasonOf(error: unknown): string {
  const state = stateOf(error);
  return state === '' ? messageOf(error) : `${messageOf(error)} (SQLSTATE ${state})`;
}
