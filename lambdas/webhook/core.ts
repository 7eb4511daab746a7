import { isUtf8 } from 'node:buffer';
import Stripe from 'stripe';
import { readEvent, type StripeEvent } from '../../core/providers/stripe/shapes';
import { messageOf } from '../../core/runtime/errors';
import { MAX_BODY_BYTES, SIGNATURE_TOLERANCE_SECONDS } from './contract';

/** The accepted signing secrets: the current one and, during a roll, the previous one. */
export interface SigningSecrets {
  readonly current: string;
  readonly previous?: string | undefined;
  /** The moment from which the previous secret is no longer accepted. @default never */
  readonly previousExpiresAt?: Date | undefined;
  /** Secret of a separate endpoint for events of connected accounts; the next two as above. @default none */
  readonly connect?: string | undefined;
  readonly connectPrevious?: string | undefined;
  readonly connectPreviousExpiresAt?: Date | undefined;
}

export interface SignedRequest {
  /** The bytes as they were sent; the signature covers these. */
  readonly body: Buffer;
  readonly signature: string | undefined;
}

export type Verdict =
  /** `message` is the event as JSON that SQS accepts. */
  | { readonly accepted: true; readonly event: StripeEvent; readonly message: string }
  /** Genuine but irrelevant here. It is acknowledged, because Stripe would deliver it again for days. */
  | { readonly accepted: true; readonly event: StripeEvent; readonly ignored: string }
  /** `reason` is one line for the sender. */
  | { readonly accepted: false; readonly statusCode: 400 | 413; readonly reason: string };

/**
 * Decides whether a request is an event that Stripe has just signed for this endpoint.
 *
 * @param livemode the mode of this environment: live (`true`) or test (`false`)
 */
export function verify(request: SignedRequest, secrets: SigningSecrets, livemode: boolean, now: Date): Verdict {
  const refuse = (reason: string, statusCode: 400 | 413 = 400): Verdict => ({ accepted: false, statusCode, reason });
  const { body, signature } = request;

  if (body.length > MAX_BODY_BYTES) {
    return refuse(`The body has ${body.length} bytes; at most ${MAX_BODY_BYTES} are accepted`, 413);
  }
  if (body.length === 0) return refuse('The body is empty; expected a Stripe event');
  if (!signature) return refuse('The Stripe-Signature header is missing');

  const timestamp = timestampOf(signature);
  if (timestamp === undefined) return refuse('The Stripe-Signature header is malformed; expected t=…,v1=…');
  const age = Math.floor(now.getTime() / 1000) - timestamp;
  if (age > SIGNATURE_TOLERANCE_SECONDS) return refuse(`The signature is ${age} seconds old; check the sender's clock`);
  // The official library accepts any time in the future.
  if (age < -SIGNATURE_TOLERANCE_SECONDS) {
    return refuse(`The signature is ${-age} seconds in the future; check the sender's clock`);
  }

  // Stripe signs text; decoding anything else would replace bytes.
  if (!isUtf8(body)) return refuse('The body is not UTF-8');
  const payload = body.toString('utf8');
  if (!isSigned(payload, signature, secrets, now)) {
    return refuse("The signature does not match this endpoint's signing secret");
  }

  let event: StripeEvent;
  try {
    event = readEvent(JSON.parse(payload));
  } catch (error) {
    return refuse(
      error instanceof SyntaxError ? 'The body is not JSON' : `The body is not a Stripe event: ${messageOf(error)}`,
    );
  }
  if (event.livemode !== livemode) {
    const [kind, other] = livemode ? ['live', 'test'] : ['test', 'live'];
    if (event.account != null) return { accepted: true, event, ignored: `A ${other} event of a connected account` };
    return refuse(`This endpoint takes ${kind} events; this is a ${other} event`);
  }
  return { accepted: true, event, message: queueable(payload) };
}

/** Whether any accepted secret verifies the payload, by the official library. */
function isSigned(payload: string, signature: string, secrets: SigningSecrets, now: Date): boolean {
  const { webhooks, errors } = Stripe;
  const counts = (expiresAt: Date | undefined) => expiresAt === undefined || now < expiresAt;
  const candidates = [
    secrets.current,
    counts(secrets.previousExpiresAt) && secrets.previous,
    secrets.connect,
    counts(secrets.connectPreviousExpiresAt) && secrets.connectPrevious,
  ];
  return candidates.some((secret) => {
    if (!secret) return false;
    try {
      // Only the signature: `constructEvent` would also parse the payload, once for each secret. A trailing newline in the
      // secret, which is easily pasted along, would break every verification.
      return webhooks.signature?.verifyHeader(
        payload,
        signature,
        secret.trim(),
        SIGNATURE_TOLERANCE_SECONDS,
        undefined,
        now.getTime(),
      );
    } catch (error) {
      if (error instanceof errors.StripeSignatureVerificationError) return false;
      throw error;
    }
  });
}

/**
 * The time in a signature header with exactly one time and well-formed signatures only. The official library takes the last
 * of several times, and throws a plain error for an empty signature.
 */
function timestampOf(header: string): number | undefined {
  const parts = header.split(',');
  const [time, ...others] = parts.filter((part) => part.startsWith('t='));
  const signatures = parts.filter((part) => /^v1(=|$)/.test(part));
  const match = /^t=(\d{1,12})$/.exec(time ?? '');
  const wellFormed = match && others.length === 0 && signatures.every((part) => /^v1=[\da-f]+$/i.test(part));
  return wellFormed ? Number(match[1]) : undefined;
}

/** SQS rejects these two code points. In JSON they only occur in strings, where an escape means the same. */
function queueable(json: string): string {
  return json.replaceAll('\uFFFE', '\\ufffe').replaceAll('\uFFFF', '\\uffff');
}
