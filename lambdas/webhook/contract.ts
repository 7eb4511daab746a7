import type { BaseEnvironment } from '../../core/contract';

export interface WebhookEnvironment extends BaseEnvironment {
  /** URL of the queue that verified events are sent to. */
  readonly QUEUE_URL: string;
  /**
   * Secret with JSON `{"current": "whsec_…", "previous"?: "whsec_…", "previousExpiresAt"?: ISO time}`, and of a separate
   * endpoint for connected accounts the same as `connect`, `connectPrevious` and `connectPreviousExpiresAt`.
   */
  readonly STRIPE_SIGNING_SECRET_ARN: string;
  /** Secret with JSON like Stripe's first three fields, of Tilled's endpoint. @default - the environment takes no Tilled */
  readonly TILLED_SIGNING_SECRET_ARN?: string;
  /**
   * `true` when the endpoint takes live events, `false` for test events. The other kind is refused; of a connected account
   * it is ignored, because Stripe delivers both to an endpoint for connected accounts.
   */
  readonly LIVEMODE: string;
  /** App that an event is counted under whose metadata names none. @default - `none` */
  readonly DEFAULT_APP_ID?: string;
}

/**
 * Largest accepted body, in bytes. An SQS message holds 1 MiB, and the event travels in an envelope of a few hundred
 * bytes. Lower refuses genuine events with many invoice lines; higher cannot be enqueued.
 */
export const MAX_BODY_BYTES = 1_000_000;

export const WEBHOOK_METRICS = {
  /** Requests that reached the endpoint, but for the platform's own events. Those that were accepted are also counted by `app` and `type`. */
  received: 'WebhookReceived',
  /** Requests answered 4xx: unsigned, forged, stale, oversized, malformed. */
  rejected: 'WebhookRejected',
  /** Events of connected accounts in the other mode, test or live: answered 200 and not queued. */
  ignored: 'WebhookIgnored',
  /** Requests answered 5xx: verified, but not enqueued. The provider delivers them again. */
  failed: 'WebhookFailed',
} as const;

/** Distinct apps that are counted by name before further ones are counted as `other`. */
export const MAX_APPS = 20;
