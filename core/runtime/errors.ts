/**
 * Base of every error that the platform throws on purpose.
 *
 * `code` is stable and meant for alarms, tests and scripts; the message is for the person who reads it and says what to
 * do. `retryable` tells whether the same call may succeed later without anybody changing anything.
 */
export class OperationError extends Error {
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'OperationError';
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** A setting of the function is missing or malformed. Nothing was done; a deployment must correct it. */
export class ConfigurationError extends OperationError {
  constructor(message: string) {
    super('configuration', message);
    this.name = 'ConfigurationError';
  }
}

/** The caller asked for something malformed. The message names the field and the expected form. */
export class InvalidRequestError extends OperationError {
  constructor(message: string, cause?: unknown) {
    super('invalid_request', message, { cause });
    this.name = 'InvalidRequestError';
  }
}

/** The message of anything that was thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
