import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROVIDER_ATTRIBUTE } from '../providers/queue-message';
import { ConfigurationError, messageOf, OperationError } from '../runtime/errors';
import { createSigner, type AwsCredentials } from './sign-request';

/** Timeouts of one attempt. */
export interface AttemptTimeouts {
  readonly connectMs: number;
  readonly answerMs: number;
}

/** Short enough for three attempts within the function's 10 s. */
const TIMEOUTS: AttemptTimeouts = { connectMs: 1_000, answerMs: 2_500 };
/** Attempts before the webhook is answered 500; Stripe then delivers the event again. */
const ATTEMPTS = 3;
/** Longest pause before the second attempt, in milliseconds; doubled before the third. */
const BACKOFF_MS = 100;
/** Transient errors that SQS answers with status 400. */
const THROTTLED = /Throttl|TooManyRequests|RequestLimitExceeded/;

/**
 * Resolves when the queue has taken the message, perhaps twice: a lost answer looks like a lost message.
 *
 * @param provider name of the provider whose event the message is
 * @throws OperationError `queue_unavailable` (retryable) with SQS's reason; it never repeats the message
 */
export type SendMessage = (message: string, provider: string) => Promise<void>;

/** The environment that Lambda gives a function, or a test. */
type AwsEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * Sends messages to one SQS queue. The SDK's client takes three times the CPU, which was more than half of the time for
 * answering a webhook: a function serves one request at a time, so Stripe waits for its CPU time and Lambda bills it. Retries,
 * endpoint and credential variables follow the SDK.
 */
export function createQueueSender(
  queueUrl: string,
  environment: AwsEnvironment = process.env,
  timeouts: AttemptTimeouts = TIMEOUTS,
): SendMessage {
  const endpoint = new URL(environment.AWS_ENDPOINT_URL_SQS || environment.AWS_ENDPOINT_URL || queueUrl);
  const secure = endpoint.protocol === 'https:';
  const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const sign = createSigner();
  const region = environment.AWS_REGION;
  if (!region) throw new ConfigurationError('AWS_REGION: expected the region of the queue');

  async function attempt(body: string): Promise<void> {
    const headers = sign(
      {
        host: endpoint.host,
        headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage' },
        body,
      },
      { credentials: credentialsOf(environment), region: region as string, service: 'sqs' },
      new Date(),
    );
    const { hostname, port } = endpoint;
    const options = { agent, hostname, port, method: 'POST', path: '/', headers };
    const { status, text } = await post(secure, options, body, timeouts);
    if (status === 200) return;
    const isBusy = status >= 500 || status === 429 || THROTTLED.test(text);
    // SQS explains a rejection in a sentence that repeats nothing of the message.
    throw new OperationError(
      isBusy ? 'queue_unavailable' : 'queue_refused',
      `SQS answered ${status}: ${text.slice(0, 300)}`,
    );
  }

  return async (message, provider) => {
    const MessageAttributes = { [PROVIDER_ATTRIBUTE]: { DataType: 'String', StringValue: provider } };
    const MessageSystemAttributes = traceOf(environment);
    const body = JSON.stringify({
      QueueUrl: queueUrl,
      MessageBody: message,
      MessageAttributes,
      MessageSystemAttributes,
    });
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await attempt(body);
      } catch (error) {
        const final = error instanceof OperationError && !error.retryable;
        if (final || attempts === ATTEMPTS) {
          throw new OperationError('queue_unavailable', `The queue did not take the event: ${messageOf(error)}`, {
            cause: error,
          });
        }
      }
      await sleep(Math.random() * BACKOFF_MS * 2 ** (attempts - 1));
    }
  };
}

/**
 * Hands the trace of this call on to the function that receives the message, as the SDK would when X-Ray instruments it: the
 * processor's traces are linked to it. Lambda sets the variable anew for every call.
 */
function traceOf({ _X_AMZN_TRACE_ID: trace }: AwsEnvironment): object | undefined {
  return trace ? { AWSTraceHeader: { DataType: 'String', StringValue: trace } } : undefined;
}

/** Read for every message: Lambda renews credentials in the environment. */
function credentialsOf(environment: AwsEnvironment): AwsCredentials {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  if (!accessKeyId || !secretAccessKey) {
    throw new ConfigurationError('AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: expected the credentials of the function');
  }
  return { accessKeyId, secretAccessKey, sessionToken: environment.AWS_SESSION_TOKEN };
}

function post(
  secure: boolean,
  options: RequestOptions,
  body: string,
  { connectMs, answerMs }: AttemptTimeouts,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = (secure ? httpsRequest : httpRequest)(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    const giveUp = (afterMs: number, what: string) =>
      setTimeout(() => sent.destroy(new Error(`${what} within ${afterMs} ms`)), afterMs);
    const timer = giveUp(answerMs, 'No answer');
    sent.once('socket', (socket) => {
      if (!socket.connecting) return;
      const connecting = giveUp(connectMs, 'No connection');
      socket.once('connect', () => clearTimeout(connecting));
      socket.once('close', () => clearTimeout(connecting));
    });
    sent.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.end(body);
  });
}
