import Stripe from 'stripe';
import * as z from 'zod';
import { WEBHOOK_ENDPOINTS } from '../contract';
import { SIGNATURE_TOLERANCE_SECONDS, type WebhookScheme } from '../webhook-scheme';
import { appOf, typeLabel } from './event-labels';
import { isCanary } from './canary';
import { STRIPE } from './name';
import { readEvent, type StripeEvent } from './shapes';

const EXPECTED_SECRET = 'expected the signing secret of the endpoint, which begins with whsec_';
const moment = z.coerce.date({ error: 'expected an ISO 8601 time' });

const signingSecrets = z.object({
  // What the stack makes the secret with begins otherwise: until an operator fills it in, every webhook is an error of
  // ours, which Stripe delivers again, instead of one of Stripe's, which it would only be told of.
  current: z.string({ error: EXPECTED_SECRET }).trim().startsWith('whsec_', EXPECTED_SECRET),
  /** Accepted during a roll. */
  previous: z.string().optional(),
  /** The moment from which the previous secret is no longer accepted. @default never */
  previousExpiresAt: moment.optional(),
  /** Accepted while an operator proves it, before it becomes the current one. */
  next: z.string().optional(),
  /** Secret of a separate endpoint for events of connected accounts; the next two as above. @default none */
  connect: z.string().optional(),
  connectPrevious: z.string().optional(),
  connectPreviousExpiresAt: moment.optional(),
});

/** The accepted signing secrets: the current one and, during a roll, the previous one. */
export type StripeSigningSecrets = z.infer<typeof signingSecrets>;

/** Stripe's webhooks, as the function `webhook` takes them. */
export const stripeWebhooks: WebhookScheme<StripeEvent, StripeSigningSecrets> = {
  provider: STRIPE,
  title: 'Stripe',
  secrets: signingSecrets,
  signatureHeader: WEBHOOK_ENDPOINTS.stripe.signatureHeader,
  signatureForm: 't=…,v1=…',
  signedAtSeconds,
  isSigned,
  readEvent,
  screen(event, livemode) {
    if (isCanary(event) || event.livemode === livemode) return 'queue';
    const [kind, other] = livemode ? ['live', 'test'] : ['test', 'live'];
    // Stripe delivers both modes to an endpoint for connected accounts.
    if (event.account != null) return { ignore: `A ${other} event of a connected account` };
    return { refuse: `This endpoint takes ${kind} events; this is a ${other} event` };
  },
  labelsOf: (event) => ({
    id: event.id,
    type: event.type,
    metricType: typeLabel(event.type),
    app: appOf(event, null),
    canary: isCanary(event),
  }),
};

/**
 * The time in a signature header with exactly one time and well-formed signatures only. The official library takes the last
 * of several times, and throws a plain error for an empty signature.
 */
function signedAtSeconds(header: string): number | undefined {
  const parts = header.split(',');
  const [time, ...others] = parts.filter((part) => part.startsWith('t='));
  const signatures = parts.filter((part) => /^v1(=|$)/.test(part));
  const match = /^t=(\d{1,12})$/.exec(time ?? '');
  const wellFormed = match && others.length === 0 && signatures.every((part) => /^v1=[\da-f]+$/i.test(part));
  return wellFormed ? Number(match[1]) : undefined;
}

/** Whether any accepted secret verifies the payload, by the official library. */
function isSigned(payload: string, signature: string, secrets: StripeSigningSecrets, now: Date): boolean {
  const { webhooks, errors } = Stripe;
  const counts = (expiresAt: Date | undefined) => expiresAt === undefined || now < expiresAt;
  const candidates = [
    secrets.current,
    counts(secrets.previousExpiresAt) && secrets.previous,
    secrets.next,
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
