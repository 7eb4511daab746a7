import type { EXIT_STATUS } from '../core/runtime/error-codes';

/** By the shell's convention, the exit status of a process that Ctrl-C ended. */
export const EXIT_INTERRUPTED = 130;

/** How a command may end other than well. */
export type FailureExit = Exclude<keyof typeof EXIT_STATUS, 'done' | 'finding'>;

/** Ends a command with one line that says what is wrong and what to do. */
export class CommandError extends Error {
  constructor(
    readonly exit: FailureExit,
    message: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CommandError';
  }
}

/** What only an environment on AWS has: on the local platform, nothing is wrong. */
export class NotOnLocalPlatform extends CommandError {
  /** @param what such as `logs of its databases` */
  constructor(what: string, advice = '') {
    super('refused', `The local platform has no ${what}${advice}`);
    this.name = 'NotOnLocalPlatform';
  }
}

/** The parts of an exception of the AWS SDK that tell what happened. */
interface ServiceException {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const EXPIRED = ['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'TokenRefreshRequired'];
const UNKNOWN_KEY = [
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
];
const DENIED = ['AccessDeniedException', 'AccessDenied', 'AccessDeniedError', 'UnauthorizedOperation'];
const THROTTLED = ['TooManyRequestsException', 'ThrottlingException', 'Throttling', 'RequestLimitExceeded'];
const UNREACHABLE = [
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'TimeoutError',
];

/**
 * What an exception of the SDK means for an operator.
 *
 * @param what the call, such as `invoke BillingOps-dev-backup`
 * @param where environment, and the account's region where it is known
 */
export function explain(cause: unknown, what: string, where: string): CommandError {
  if (cause instanceof CommandError) return cause;
  const { name = '', code = '', message = String(cause) } = (cause ?? {}) as ServiceException;
  const is = (names: readonly string[]): boolean => names.includes(name) || names.includes(code);
  const failed = (text: string): CommandError => new CommandError('failed', text, { cause });
  if (is(EXPIRED)) return failed('The AWS session has expired: log in again (aws sso login), then repeat the command');
  if (name === 'CredentialsProviderError') {
    return failed(`No AWS credentials for ${where}: log in (aws sso login) or set AWS_PROFILE. ${firstLine(message)}`);
  }
  if (message === 'Region is missing') {
    return failed(`No AWS region for ${where}: set AWS_REGION, or a region in the profile that AWS_PROFILE names`);
  }
  if (is(UNKNOWN_KEY))
    return failed(`AWS does not know the credentials: check AWS_PROFILE and its account. ${message}`);
  if (is(DENIED)) return failed(`Not allowed to ${what}: your role lacks the permission. ${firstLine(message)}`);
  if (is(THROTTLED)) {
    const reason = `Cannot ${what}: as many runs as are allowed are active. Wait for them, then repeat the command`;
    return new CommandError('refused', reason, { cause });
  }
  if (is(UNREACHABLE)) return failed(`Cannot reach AWS to ${what} (${code || name}): check the network and the region`);
  return failed(`Cannot ${what}: ${firstLine(message)}`);
}

/** The first line of a message; services append request ids and hints for programmers. */
function firstLine(message: string): string {
  return message.split('\n')[0]?.trim() ?? '';
}
