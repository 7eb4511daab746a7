/** Where a payment provider delivers to, and how its requests are signed. */
export interface WebhookEndpoint {
  /** Path of the endpoint, as entered in the provider's dashboard. */
  readonly path: string;
  /** Header with the signature, as the provider writes it; the sender's case does not matter. */
  readonly signatureHeader: string;
}

/** The endpoint of each payment provider. Routes, secrets and the firewall's log follow this table. */
export const WEBHOOK_ENDPOINTS = {
  stripe: { path: '/api/v1/webhooks/stripe', signatureHeader: 'Stripe-Signature' },
} as const satisfies Readonly<Record<string, WebhookEndpoint>>;

/** Name of a provider: in its endpoint's path, in queue messages and in the ledger. */
export type ProviderName = keyof typeof WEBHOOK_ENDPOINTS;
