import { isUtf8 } from 'node:buffer';
import { SIGNATURE_TOLERANCE_SECONDS, type WebhookScheme } from '../../core/providers/webhook-scheme';
import { messageOf } from '../../core/runtime/errors';
import { MAX_BODY_BYTES } from './contract';

export interface SignedRequest {
  /** The bytes as they were sent; the signature covers these. */
  readonly body: Buffer;
  /** Value of the scheme's signature header. */
  readonly signature: string | undefined;
}

export type Verdict<Event> =
  /** `message` is the event as JSON that SQS accepts. */
  | { readonly accepted: true; readonly event: Event; readonly message: string }
  /** Genuine but irrelevant here: to be acknowledged, and not queued. */
  | { readonly accepted: true; readonly event: Event; readonly ignored: string }
  /** `reason` is one line for the sender. `isMismatch`: no known secret signed it, perhaps one that is newer. */
  | {
      readonly accepted: false;
      readonly statusCode: 400 | 413;
      readonly reason: string;
      readonly isMismatch?: true;
    };

/**
 * Decides whether a request is an event that the provider has just signed for this endpoint.
 *
 * @param scheme what is the provider's own in this
 * @param livemode the mode of this environment: live (`true`) or test (`false`)
 */
export function verify<Event, Secrets>(
  scheme: WebhookScheme<Event, Secrets>,
  request: SignedRequest,
  secrets: Secrets,
  livemode: boolean,
  now: Date,
): Verdict<Event> {
  const { title, signatureHeader, signatureForm } = scheme;
  const { body, signature } = request;

  if (body.length > MAX_BODY_BYTES) {
    return refuse(`The body has ${body.length} bytes; at most ${MAX_BODY_BYTES} are accepted`, 413);
  }
  if (body.length === 0) return refuse(`The body is empty; expected a ${title} event`);
  if (!signature) return refuse(`The ${signatureHeader} header is missing`);

  const timestamp = scheme.signedAtSeconds(signature);
  if (timestamp === undefined) return refuse(`The ${signatureHeader} header is malformed; expected ${signatureForm}`);
  const age = Math.floor(now.getTime() / 1000) - timestamp;
  if (age > SIGNATURE_TOLERANCE_SECONDS) return refuse(`The signature is ${age} seconds old; check the sender's clock`);
  // Providers' libraries accept any time in the future.
  if (age < -SIGNATURE_TOLERANCE_SECONDS) {
    return refuse(`The signature is ${-age} seconds in the future; check the sender's clock`);
  }

  // Providers sign text; decoding anything else would replace bytes.
  if (!isUtf8(body)) return refuse('The body is not UTF-8');
  const payload = body.toString('utf8');
  if (!scheme.isSigned(payload, signature, secrets, now)) {
    return { ...refuse("The signature does not match this endpoint's signing secret"), isMismatch: true };
  }

  let event: Event;
  try {
    event = scheme.readEvent(JSON.parse(payload));
  } catch (error) {
    return refuse(
      error instanceof SyntaxError ? 'The body is not JSON' : `The body is not a ${title} event: ${messageOf(error)}`,
    );
  }
  const screening = scheme.screen(event, livemode);
  if (screening === 'queue') return { accepted: true, event, message: queueable(payload) };
  return 'ignore' in screening ? { accepted: true, event, ignored: screening.ignore } : refuse(screening.refuse);
}

function refuse(reason: string, statusCode: 400 | 413 = 400) {
  return { accepted: false, statusCode, reason } as const;
}

/** SQS rejects these two code points. In JSON they only occur in strings, where an escape means the same. */
function queueable(json: string): string {
  return json.replaceAll('\uFFFE', '\\ufffe').replaceAll('\uFFFF', '\\uffff');
}
