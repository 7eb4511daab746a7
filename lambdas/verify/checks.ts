import type { ClientBase } from 'pg';
import { isCorruption, isStatementTimeout, limitStatements } from '../../core/database/statement-failures';
import type { VerifyProblem } from './contract';

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
      await limitStatements(this.client, this.remainingMs());
      return await check();
    } catch (error) {
      if (isStatementTimeout(error)) this.notChecked.push(what);
      else if (isCorruption(error)) {
        this.problems.push({ check: 'tables', message: `Cannot read what ${what} is checked by: ${error.message}` });
      } else throw error;
      return undefined;
    } finally {
      // What is asked between checks is short, and must not end with the time of the last one.
      await this.client.query('RESET statement_timeout').catch(() => undefined);
    }
  }
}
