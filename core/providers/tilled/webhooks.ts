import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { WEBHOOK_ENDPOINTS } from '../contract';
import type { WebhookScheme } from '../webhook-scheme';
import { appOf, metricTypeOf } from './labels';
import { TILLED } from './name';
import { readEvent, type TilledEvent } from './shapes';

const EXPECTED_SECRET = 'expected the signing secret of the endpoint, which begins with whsec_';

const signingSecrets = z.object({
  // What the stack makes the secret with begins otherwise; see Stripe's.
  current: z.string({ error: EXPECTED_SECRET }).trim().startsWith('whsec_', EXPECTED_SECRET),
  /** Accepted during a roll. */
  previous: z.string().trim().optional(),
  /** The moment from which the previous secret is no longer accepted. @default never */
  previousExpiresAt: z.coerce.date({ error: 'expected an ISO 8601 time' }).optional(),
  /** Accepted while an operator proves it, before it becomes the current one. */
  next: z.string().trim().optional(),
});
export type TilledSigningSecrets = z.infer<typeof signingSecrets>;

/** Tilled's webhooks, as the function `webhook` takes them. */
export const tilledWebhooks: WebhookScheme<TilledEvent, TilledSigningSecrets> = {
  provider: TILLED,
  title: 'Tilled',
  secrets: signingSecrets,
  signatureHeader: WEBHOOK_ENDPOINTS.tilled.signatureHeader,
  signatureForm: 't=<milliseconds>,v1=…',
  signedAtSeconds: (header) => {
    const time = timeIn(header);
    return time === undefined ? undefined : Math.floor(Number(time) / 1000);
  },
  isSigned,
  readEvent,
  // Tilled's environments have endpoints and secrets of their own.
  screen: () => 'queue',
  labelsOf: (event) => ({
    id: event.id,
    type: event.type,
    metricType: metricTypeOf(event.type),
    app: appOf(event),
    canary: false,
  }),
};

/** The one time in a header, in milliseconds of thirteen digits: as seconds, ten digits, it is malformed. */
function timeIn(header: string): string | undefined {
  const times = partsOf(header).filter((part) => part.startsWith('t='));
  const [, time] = times.length === 1 ? (/^t=(\d{13})$/.exec(times[0] ?? '') ?? []) : [];
  return time;
}

const partsOf = (header: string): string[] => header.split(',').map((part) => part.trim());

/** Whether any `v1` is the HMAC-SHA256 of `<t>.<payload>` under an accepted secret. Other schemes are ignored. */
function isSigned(payload: string, header: string, secrets: TilledSigningSecrets, now: Date): boolean {
  const signatures = partsOf(header).flatMap((part) => /^v1=([\da-f]{64})$/i.exec(part)?.[1] ?? []);
  const { current, previous, previousExpiresAt, next } = secrets;
  const accepted = [current, previousExpiresAt !== undefined && now >= previousExpiresAt ? undefined : previous, next];
  return accepted.some((secret) => {
    if (!secret) return false;
    const expected = createHmac('sha256', secret)
      .update(`${timeIn(header)}.${payload}`)
      .digest();
    return signatures.some((signature) => timingSafeEqual(expected, Buffer.from(signature, 'hex')));
  });
}
