import type { ClientBase } from 'pg';
import { isCorruption, isStatementTimeout, limitStatements } from '../../core/database/statement-failures';
import type { VerifyProblem } from './contract';

/**
 * Runs checks one after the other while there is time, and collects the problems and the checks without a result. An
 * unreadable page or a slow check never hides the findings of the others.
 */
export class Checks {
  readonly problems: VerifyProblem[] = [];
  /** Names of checks for which there was no time. */
  readonly notChecked: string[] = [];

  /** @param remainingMs milliseconds until the last check must have ended */
  constructor(
    private readonly client: ClientBase,
    private readonly remainingMs: () => number,
  ) {}

  /**
   * @param name of the check, for the report
   * @param check one statement, on the connection of these checks
   * @returns the result of the check, or `undefined` without one
   */
  async run<Result>(name: string, check: () => Promise<Result>): Promise<Result | undefined> {
    if (this.remainingMs() <= 0) {
      this.notChecked.push(name);
      return undefined;
    }
    try {
      await limitStatements(this.client, this.remainingMs());
      return await check();
    } catch (error) {
      if (isStatementTimeout(error)) this.notChecked.push(name);
      else if (isCorruption(error)) {
        this.problems.push({ check: 'tables', message: `Rows that ${name} needs cannot be read: ${error.message}` });
      } else throw error;
      return undefined;
    } finally {
      // Statements between checks are short, and the limit of the last check does not apply to them.
      await this.client.query('RESET statement_timeout').catch(() => undefined);
    }
  }
}
