import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { STRIPE } from '../../core/providers/stripe/name';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import { messageOf } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import { verify, type SigningSecrets } from './core';
import type { SendMessage } from './queue';

export interface WebhookDependencies {
  /** Called for each request, so that a rolled secret takes effect; the reader caches. */
  readonly secrets: () => Promise<SigningSecrets>;
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
  /** The event, once it was verified. */
  readonly event?: StripeEvent;
}

type Request = Pick<APIGatewayProxyEvent, 'body' | 'headers' | 'isBase64Encoded'>;

/** Answers a webhook: 200 when it is queued or ignored, 4xx for the sender's fault, 500 for ours. Never throws. */
export async function respond(
  request: Request,
  { secrets, livemode, send, clock, log }: WebhookDependencies,
): Promise<WebhookResult> {
  try {
    const signed = { body: rawBody(request), signature: header(request, 'stripe-signature') };
    const verdict = verify(signed, await secrets(), livemode, clock());
    if (!verdict.accepted) {
      log.warn('Refused a webhook', { statusCode: verdict.statusCode, reason: verdict.reason });
      return { answer: answer(verdict.statusCode, { error: verdict.reason }), outcome: 'rejected' };
    }
    const { event } = verdict;
    if ('ignored' in verdict) {
      log.info('Ignored an event', { eventId: event.id, type: event.type, reason: verdict.ignored });
      return { answer: answer(200, { received: true }), outcome: 'ignored' };
    }
    await send(verdict.message, STRIPE);
    log.info('Queued an event', { eventId: event.id, type: event.type });
    return { answer: answer(200, { received: true }), outcome: 'queued', event };
  } catch (error) {
    log.error('A webhook could not be queued; Stripe will deliver it again', { reason: messageOf(error) });
    return {
      answer: answer(500, { error: 'The event could not be queued; deliver it again' }),
      outcome: 'failed',
    };
  }
}

function rawBody(request: Request): Buffer {
  return Buffer.from(request.body ?? '', request.isBase64Encoded ? 'base64' : 'utf8');
}

/** The case of header names depends on the sender and on proxies. */
function header(request: Request, name: string): string | undefined {
  return Object.entries(request.headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];
}

function answer(statusCode: number, body: object): APIGatewayProxyResult {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
