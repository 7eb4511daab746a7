/** An error as the Amazon States Language knows it: what a retrier or catcher names, and the text for people. */
export class StatesError extends Error {
  /** @param error such as `States.Timeout` or `Rds.DbInstanceNotFoundException` */
  constructor(
    readonly error: string,
    override readonly cause: string,
  ) {
    super(`${error}: ${cause}`);
    this.name = 'StatesError';
  }
}

/** Errors that `States.ALL` does not match, by the developer guide, "Error names". */
const NOT_IN_ALL = new Set(['States.DataLimitExceeded', 'States.Runtime']);
/** What `States.TaskFailed` does not match. */
const NOT_TASK_FAILED = new Set(['States.Timeout', ...NOT_IN_ALL]);

/** Whether a retrier or catcher with these names is meant for an error. */
export function matches(errorEquals: readonly string[], error: string): boolean {
  return (
    errorEquals.includes(error) ||
    (errorEquals.includes('States.ALL') && !NOT_IN_ALL.has(error)) ||
    (errorEquals.includes('States.TaskFailed') && !NOT_TASK_FAILED.has(error))
  );
}
