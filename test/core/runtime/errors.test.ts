import {
  ERROR_CODES,
  errorCodeOf,
  errorName,
  retryableErrorNames,
  type ErrorCode,
} from '../../../core/runtime/error-codes';
import { ConfigurationError, InvalidRequestError, OperationError } from '../../../core/runtime/errors';

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

test.each(CODES)('an error with the code %s is named after it and is as retryable as the table says', (code) => {
  const cause = new Error('below');
  const error = new OperationError(code, 'what to do', { cause });

  expect(error).toMatchObject({ code, message: 'what to do', cause, retryable: ERROR_CODES[code].retryable });
  expect(error.name).toMatch(/^([A-Z][a-z]+)+$/);
  expect(errorCodeOf(error.name)).toBe(code);
});

test('an error that Lambda names itself has no code', () => {
  expect(errorCodeOf('Sandbox.Timedout')).toBeUndefined();
});

test('a workflow repeats a call that met an absent server, and none that is malformed or forbidden', () => {
  expect(retryableErrorNames()).toEqual(expect.arrayContaining(['DatabaseUnavailable', 'RdsUnavailable']));
  for (const code of ['invalid_request', 'configuration', 'wrong_database', 'unexpected'] as const) {
    expect(retryableErrorNames()).not.toContain(errorName(code));
  }
});

test('a malformed request is the only usage error, and no refusal of a request claims that the server failed', () => {
  expect(CODES.filter((code) => ERROR_CODES[code].exit === 'usage')).toEqual(['invalid_request']);
  // Only a caller that goes beyond its alias is refused what the person who asks cannot change: the API itself is at fault.
  const refusals = CODES.filter((code) => ERROR_CODES[code].exit === 'refused' && code !== 'not_admitted');
  expect(refusals.filter((code) => ERROR_CODES[code].httpStatus >= 500)).toEqual([]);
});

test('a configuration error and a malformed request carry their codes', () => {
  expect(new ConfigurationError('x')).toMatchObject({ name: 'Configuration', code: 'configuration', retryable: false });
  expect(new InvalidRequestError('x')).toMatchObject({ name: 'InvalidRequest', code: 'invalid_request' });
});
