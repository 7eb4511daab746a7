import { ERROR_CODES, errorName, type ErrorCode } from './error-codes';

/**
 * Base of every error that the platform throws on purpose.
 *
 * The code is stable and meant for alarms, tests and scripts; {@link ERROR_CODES} says what follows from it. The message
 * is for people and says what to do.
 */
export class OperationError extends Error {
  readonly code: ErrorCode;
  /** Whether the same call may succeed later without any change by an operator. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    // Lambda reports the name as `errorType`, the only field of a failed invocation that callers can switch on.
    this.name = errorName(code);
    this.code = code;
    this.retryable = ERROR_CODES[code].retryable;
  }
}

/** A setting of the function is missing or malformed. Nothing was done; a deployment must correct it. */
export class ConfigurationError extends OperationError {
  constructor(message: string) {
    super('configuration', message);
  }
}

/** The request is malformed. The message names the field and the expected form. */
export class InvalidRequestError extends OperationError {
  constructor(message: string, cause?: unknown) {
    super('invalid_request', message, { cause });
  }
}

/** The message of anything that was thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
