/** Where a payment provider delivers to, and how its requests are signed. */
export interface WebhookEndpoint {
  /** Path of the endpoint, as entered in the provider's dashboard. */
  readonly path: string;
  /** Header with the signature, as the provider writes it; the sender's case does not matter. */
  readonly signatureHeader: string;
}

/** The endpoint of each payment provider. Routes, secrets and the firewall follow this table, for the providers that an environment takes. */
export const WEBHOOK_ENDPOINTS = {
  stripe: { path: '/api/v1/webhooks/stripe', signatureHeader: 'Stripe-Signature' },
  tilled: { path: '/api/v1/webhooks/tilled', signatureHeader: 'tilled-signature' },
} as const satisfies Readonly<Record<string, WebhookEndpoint>>;

/**
 * The event by which the function `canary` proves the way from the endpoint to the ledger: of a type that no provider sends, so
 * that it has no effect, is not counted as one of Stripe's, and is deleted after days.
 */
export const CANARY_EVENT = {
  type: 'billing_operations.canary',
  /** What follows is the moment, and so begins with a digit. */
  idPrefix: 'evt_canary_',
} as const;

/** Name of a provider: in its endpoint's path, in queue messages and in the ledger. */
export type ProviderName = keyof typeof WEBHOOK_ENDPOINTS;

/**
 * Attempts, as the ledger counts them, after which an event is parked in the dead-letter queue: policy is "retried up to 3
 * times". A receive while the database is away, or beside a lock, is no attempt of the event.
 */
export const MAX_EVENT_ATTEMPTS = 3;

/** The names of all providers whose events can be listed and applied again. */
export const PROVIDER_NAMES = ['stripe', 'tilled'] as const satisfies readonly ProviderName[];
