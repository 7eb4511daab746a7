import { type ClientBase, DatabaseError } from 'pg';
import type { VerifyProblem } from './contract';

/** SQLSTATE class of a page or value that cannot be read: internal error, data corrupted, index corrupted. */
const CORRUPTION_CLASS = 'XX';
/** SQLSTATE of a statement that took longer than it was given. */
const QUERY_CANCELED = '57014';

export function isUnreadable(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.code?.startsWith(CORRUPTION_CLASS) === true;
}

export function isOutOfTime(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === QUERY_CANCELED;
}

/** Gives the next statement of a connection that much time, at least a millisecond. */
export async function limitStatement(client: ClientBase, milliseconds: number): Promise<void> {
  // 0 would mean for ever, and the setting is a 32-bit number.
  const timeout = Math.min(Math.max(Math.floor(milliseconds), 1), 2_147_483_647);
  await client.query(`SET statement_timeout = ${timeout}`);
}

/**
 * Runs checks one after the other while there is time. What is wrong, and what could not be looked at, is kept; one bad
 * page or one slow check never hides what the others find.
 */
export class Checks {
  readonly problems: VerifyProblem[] = [];
  /** Names of checks that time did not suffice for. */
  readonly notChecked: string[] = [];

  /** @param remainingMs milliseconds until the last check must have ended */
  constructor(
    private readonly client: ClientBase,
    private readonly remainingMs: () => number,
  ) {}

  /**
   * @param what name of the check
   * @param check one statement, on the connection of these checks
   * @returns what the check returns, or `undefined` when it could not be made
   */
  async run<Result>(what: string, check: () => Promise<Result>): Promise<Result | undefined> {
    if (this.remainingMs() <= 0) {
      this.notChecked.push(what);
      return undefined;
    }
    try {
      await limitStatement(this.client, this.remainingMs());
      return await check();
    } catch (error) {
      if (isOutOfTime(error)) this.notChecked.push(what);
      else if (isUnreadable(error)) {
        this.problems.push({ check: 'tables', message: `Cannot read what ${what} is checked by: ${error.message}` });
      } else throw error;
      return undefined;
    } finally {
      // What is asked between checks is short, and must not end with the time of the last one.
      await this.client.query('RESET statement_timeout').catch(() => undefined);
    }
  }
}
