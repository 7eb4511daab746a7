import type { ProviderName } from '../contract';

/** Stripe's name in the ledger, in queue messages and in the endpoint's path. */
export const STRIPE = 'stripe' satisfies ProviderName;
