import { readFileSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody, requestUrl, startHttpServer, type HttpServer } from '../runtime/http-server';
import type { KeepFailure } from './failure-destination';
import { FunctionError, type LocalFunction } from './lambda-runtime';

export interface LambdaApiOptions {
  readonly functions: readonly LocalFunction[];
  /** @default - none */
  readonly observe?: (invocation: ObservedInvocation) => void;
  /** Takes a request without an answer that failed. @default - the log alone has it */
  readonly keepFailure?: KeepFailure;
}

/** An invocation that came through the API and has ended. */
export interface ObservedInvocation {
  readonly functionName: string;
  readonly durationMs: number;
  /** Undefined when the function answered. */
  readonly error: Error | undefined;
}

/** Most bytes of a request and of an answer: 6 MB synchronously, 1 MB asynchronously. */
const MAX_SYNCHRONOUS_BYTES = 6 * 1024 * 1024;
const MAX_ASYNCHRONOUS_BYTES = 1024 * 1024;
/** What `X-Amz-Log-Result` has of the log. */
const LOG_TAIL_BYTES = 4096;

const FUNCTION_PATH = /^\/2015-03-31\/functions\/([^/]+)\/(invocations|configuration)$/;
/** A name, a partial or a whole ARN, each perhaps with a qualifier. */
const FUNCTION_NAME = /^(?:(?:arn:aws:lambda:[\w-]+:)?\d{12}:function:|function:)?([\w-]{1,64})(?::([\w$-]+))?$/;

/** A request that Lambda refuses, in its words; the SDK makes an exception of this name from it. */
class ServiceError extends Error {
  constructor(
    readonly status: number,
    override readonly name: string,
    message: string,
    readonly type: 'User' | 'Service' = 'User',
  ) {
    super(message);
  }
}

/** An HTTP answer. */
interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A function, and the alias by which it was named. */
interface Target {
  readonly target: LocalFunction;
  readonly alias: string | undefined;
}

function targetOf(functions: readonly LocalFunction[], text: string, qualifier: string | null): Target {
  const [, name, ownQualifier] = FUNCTION_NAME.exec(text) ?? [];
  if (name === undefined) {
    throw new ServiceError(400, 'InvalidParameterValueException', `${text} is no name and no ARN of a function`);
  }
  const found = functions.find(({ definition }) => definition.name === name);
  const version = ownQualifier ?? qualifier ?? '$LATEST';
  const isServed = version === '$LATEST' || found?.definition.aliases?.includes(version);
  if (found === undefined || !isServed) {
    const known = functions.map(({ definition }) => definition.name).join(', ');
    const suffix = version === '$LATEST' ? '' : `:${version}`;
    throw new ServiceError(
      404,
      'ResourceNotFoundException',
      `Function not found: ${name}${suffix} (here are: ${known})`,
    );
  }
  return { target: found, alias: version === '$LATEST' ? undefined : version };
}

async function readPayload(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const body = await readBody(request, maxBytes);
  if (body === undefined) {
    throw new ServiceError(413, 'RequestTooLargeException', `Request must be smaller than ${maxBytes} bytes`);
  }
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    const reason = `Could not parse request body into json: ${(error as Error).message}`;
    throw new ServiceError(400, 'InvalidRequestContentException', reason);
  }
}

/** Invokes the function and reports how it ended. @throws FunctionError */
async function invoke({ observe }: LambdaApiOptions, { target, alias }: Target, event: unknown): Promise<unknown> {
  const started = performance.now();
  const ended = (error?: Error): void =>
    observe?.({ functionName: target.definition.name, durationMs: performance.now() - started, error });
  try {
    const result = await target.invoke(event, alias);
    ended();
    return result;
  } catch (error) {
    ended(error as Error);
    throw error;
  }
}

function failure(errorType: string, errorMessage: string, trace: readonly string[] = []): Answer {
  const body = JSON.stringify({ errorType, errorMessage, ...(trace.length === 0 ? {} : { trace }) });
  return { status: 200, headers: { 'x-amz-function-error': 'Unhandled' }, body };
}

async function answerSynchronously(
  options: LambdaApiOptions,
  named: Target,
  event: unknown,
  withLog: boolean,
): Promise<Answer> {
  const { target } = named;
  if (target.throttled) {
    throw new ServiceError(429, 'TooManyRequestsException', 'Rate Exceeded.');
  }
  const logged = sizeOf(target.logFile);
  const answer = await invoke(options, named, event).then(
    (result): Answer => {
      const body = JSON.stringify(result ?? null);
      if (Buffer.byteLength(body) <= MAX_SYNCHRONOUS_BYTES) return { status: 200, body };
      return failure('Function.ResponseSizeTooLarge', `Response payload size exceeded ${MAX_SYNCHRONOUS_BYTES} bytes.`);
    },
    (error: unknown) => {
      if (!(error instanceof FunctionError)) throw error;
      return failure(error.errorType, error.errorMessage, error.trace);
    },
  );
  const log: Record<string, string> = withLog
    ? { 'x-amz-log-result': tailOf(target.logFile, logged).toString('base64') }
    : {};
  return { ...answer, headers: { 'x-amz-executed-version': '$LATEST', ...answer.headers, ...log } };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** The end of what was written to a log since it had `from` bytes; lines of other instances may be among them. */
function tailOf(file: string, from: number): Buffer {
  const size = sizeOf(file);
  return size === 0 ? Buffer.alloc(0) : readFileSync(file).subarray(Math.max(from, size - LOG_TAIL_BYTES), size);
}

/** The part of a function's configuration that tells where its resources are. */
function configurationOf({ definition }: LocalFunction): object {
  const { name, arn, handler, timeoutSeconds, memoryMib, environment } = definition;
  return {
    FunctionName: name,
    FunctionArn: arn,
    Handler: handler,
    Timeout: timeoutSeconds,
    MemorySize: memoryMib,
    Environment: { Variables: environment },
    LoggingConfig: { LogGroup: `/aws/lambda/${name}` },
  };
}

async function answerOf(options: LambdaApiOptions, request: IncomingMessage): Promise<Answer> {
  const url = requestUrl(request);
  const path = url && FUNCTION_PATH.exec(decodeURIComponent(url.pathname).replaceAll(/\/+$/g, ''));
  if (!url) throw new ServiceError(400, 'InvalidParameterValueException', 'The request URL is malformed');
  // Not verified, but demanded: no page in a browser can send it to this machine unasked.
  if (!request.headers.authorization?.startsWith('AWS4-HMAC-SHA256 ')) {
    throw new ServiceError(403, 'MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  const served = { invocations: 'POST', configuration: 'GET' }[path?.[2] ?? ''];
  if (!path || request.method !== served) {
    const reason = 'Of the API of Lambda, only Invoke and GetFunctionConfiguration are served here';
    throw new ServiceError(404, 'UnknownOperationException', reason);
  }
  const named = targetOf(options.functions, path[1] ?? '', url.searchParams.get('Qualifier'));
  if (served === 'GET') return { status: 200, body: JSON.stringify(configurationOf(named.target)) };
  const type = String(request.headers['x-amz-invocation-type'] ?? 'RequestResponse');
  switch (type) {
    case 'DryRun':
      return { status: 204 };
    case 'Event': {
      const event = await readPayload(request, MAX_ASYNCHRONOUS_BYTES);
      invoke(options, named, event).catch((error: unknown) => options.keepFailure?.(named.target, event, error));
      return { status: 202 };
    }
    case 'RequestResponse': {
      const withLog = request.headers['x-amz-log-type'] === 'Tail';
      return answerSynchronously(options, named, await readPayload(request, MAX_SYNCHRONOUS_BYTES), withLog);
    }
    default:
      throw new ServiceError(400, 'InvalidParameterValueException', `Unknown invocation type ${type}`);
  }
}

async function serve(options: LambdaApiOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { status, headers, body } = await answerOf(options, request);
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body);
  } catch (error) {
    const { status, name, message, type } =
      error instanceof ServiceError
        ? error
        : new ServiceError(500, 'ServiceException', (error as Error).message, 'Service');
    response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': name });
    response.end(JSON.stringify({ Type: type, Message: message }));
  }
}

/**
 * Serves Lambda's Invoke and GetFunctionConfiguration on loopback, for the SDK, and for `aws lambda invoke --endpoint-url`.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
export async function startLambdaApi(options: LambdaApiOptions): Promise<HttpServer> {
  return startHttpServer((request, response) => serve(options, request, response));
}
