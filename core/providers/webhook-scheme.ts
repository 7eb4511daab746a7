import type * as z from 'zod';
import type { ProviderName } from './contract';

/**
 * How far a signature's timestamp may lie in the past or in the future, in seconds. Stripe's own default is 300. Lower
 * refuses genuine webhooks of a sender whose clock is off; higher lets a recorded one be sent again for longer.
 */
export const SIGNATURE_TOLERANCE_SECONDS = 300;

/** What a verified event is logged and counted as. */
export interface EventLabels {
  readonly id: string;
  readonly type: string;
  /** The type as a metric's dimension: itself, or `other` for one that the endpoint is not subscribed to. */
  readonly metricType: string;
  /** App that the event's object names, or null where it names none. */
  readonly app: string | null;
  /** The event is this platform's own, and is not counted. */
  readonly canary: boolean;
}

/** What happens to a verified event; the reasons are one line. */
export type Screening =
  | 'queue'
  /** Genuine but irrelevant here. It is acknowledged, because the provider would deliver it again for days. */
  | { readonly ignore: string }
  /** Sent to the wrong endpoint. */
  | { readonly refuse: string };

/**
 * What is the provider's own in the verification of its webhooks. What holds for all of them – size, age, encoding, JSON –
 * is in `lambdas/webhook/core.ts`, which calls these in the order of their declaration.
 *
 * @typeParam Event the provider's event, once its envelope was checked
 * @typeParam Secrets value of the Secrets Manager secret of its endpoint
 */
export interface WebhookScheme<Event, Secrets> {
  readonly provider: ProviderName;
  /** The provider in a sentence, such as `Stripe`. */
  readonly title: string;
  /** Form of the secret; a value that an operator has not filled in yet must not fit. */
  readonly secrets: z.ZodType<Secrets>;
  /** As in `WEBHOOK_ENDPOINTS`. */
  readonly signatureHeader: string;
  /** Form of that header, for the reason of a refusal. */
  readonly signatureForm: string;
  /** When the signature was made, in seconds since 1970; undefined when the header is not of that form. */
  signedAtSeconds(signature: string): number | undefined;
  /** Whether a secret that is accepted now signed exactly this body. The age was checked. */
  isSigned(payload: string, signature: string, secrets: Secrets, now: Date): boolean;
  /** @throws InvalidRequestError naming the fields of the envelope that are not as the provider documents them */
  readEvent(value: unknown): Event;
  /** @param livemode the mode of this environment: live (`true`) or test (`false`) */
  screen(event: Event, livemode: boolean): Screening;
  labelsOf(event: Event): EventLabels;
}
