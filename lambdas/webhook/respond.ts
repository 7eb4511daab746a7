import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import type { EventLabels, WebhookScheme } from '../../core/providers/webhook-scheme';
import { messageOf } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import { type SignedRequest, type Verdict, verify } from './core';
import type { SendMessage } from '../../core/queue/sender';

/** Where one provider delivers to. */
export interface Endpoint<Event = unknown, Secrets = unknown> {
  readonly scheme: WebhookScheme<Event, Secrets>;
  /** Called for each request, so that a rolled secret takes effect; the reader caches. */
  readonly secrets: () => Promise<Secrets>;
  /**
   * Called when none of them signed a request: looked up, unless unknown senders caused that too often lately (`undefined`).
   *
   * @default the request is refused
   */
  readonly newerSecrets?: () => Promise<Secrets | undefined>;
}

export interface WebhookDependencies {
  /** Endpoints by the path of their route. */
  readonly endpoints: Readonly<Record<string, Endpoint>>;
  /** Whether this environment takes live events (`true`) or test events (`false`). */
  readonly livemode: boolean;
  readonly send: SendMessage;
  readonly clock: () => Date;
  readonly log: Log;
}

export interface WebhookResult {
  readonly answer: APIGatewayProxyResult;
  /** Queued, acknowledged without being queued, rejected by the sender's fault, or failed by ours. */
  readonly outcome: 'queued' | 'ignored' | 'rejected' | 'failed';
  /** What the event is counted as; only of one that was queued. */
  readonly labels?: EventLabels;
}

type Request = Pick<APIGatewayProxyEvent, 'body' | 'headers' | 'isBase64Encoded' | 'resource'>;

/** Answers a webhook: 200 when it is queued or ignored, 4xx for the sender's fault, 500 for ours. Never throws. */
export async function respond(
  request: Request,
  { endpoints, livemode, send, clock, log }: WebhookDependencies,
): Promise<WebhookResult> {
  // The route, not the path: API Gateway also routes a path with a slash at its end.
  const endpoint = endpoints[request.resource];
  if (endpoint === undefined) return rejected(404, `No provider delivers to ${request.resource}`);
  const { scheme } = endpoint;
  const { provider } = scheme;
  try {
    const signed = { body: rawBody(request), signature: header(request, scheme.signatureHeader) };
    const verdict = await judge(endpoint, signed, livemode, clock);
    if (!verdict.accepted) {
      log.warn('Refused a webhook', { provider, statusCode: verdict.statusCode, reason: verdict.reason });
      return rejected(verdict.statusCode, verdict.reason);
    }
    const labels = scheme.labelsOf(verdict.event);
    const { id: eventId, type } = labels;
    if ('ignored' in verdict) {
      log.info('Ignored an event', { provider, eventId, type, reason: verdict.ignored });
      return { answer: answer(200, { received: true }), outcome: 'ignored' };
    }
    await send(verdict.message, provider);
    log.info('Queued an event', { provider, eventId, type });
    return { answer: answer(200, { received: true }), outcome: 'queued', labels };
  } catch (error) {
    log.error(`A webhook could not be queued; ${scheme.title} will deliver it again`, {
      provider,
      reason: messageOf(error),
    });
    return {
      answer: answer(500, { error: 'The event could not be queued; deliver it again' }),
      outcome: 'failed',
    };
  }
}

/** A secret that was rolled a moment ago signs what the one in memory does not verify. */
async function judge<Event, Secrets>(
  { scheme, secrets, newerSecrets }: Endpoint<Event, Secrets>,
  signed: SignedRequest,
  livemode: boolean,
  clock: () => Date,
): Promise<Verdict<Event>> {
  const verdict = verify(scheme, signed, await secrets(), livemode, clock());
  if (verdict.accepted || !verdict.isMismatch) return verdict;
  const newer = await newerSecrets?.();
  return newer === undefined ? verdict : verify(scheme, signed, newer, livemode, clock());
}

function rejected(statusCode: number, reason: string): WebhookResult {
  return { answer: answer(statusCode, { error: reason }), outcome: 'rejected' };
}

function rawBody(request: Request): Buffer {
  return Buffer.from(request.body ?? '', request.isBase64Encoded ? 'base64' : 'utf8');
}

/** The case of header names depends on the sender and on proxies. */
function header(request: Request, name: string): string | undefined {
  const wanted = name.toLowerCase();
  return Object.entries(request.headers ?? {}).find(([key]) => key.toLowerCase() === wanted)?.[1];
}

function answer(statusCode: number, body: object): APIGatewayProxyResult {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
