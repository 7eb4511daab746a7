import { createStripeFunction, stripeFunctionSettings } from '../../core/providers/stripe/stripe-function';
import { readEnvironment } from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { contract } from './contract';
import { retryPayout } from './core';

const environment = readEnvironment(stripeFunctionSettings);
const { telemetry, useStripe, reserveMs } = createStripeFunction('payouts', environment, { maxAttempts: 3 });

/** Repeats a failed payout at Stripe, once its account is not restricted any more. */
export const handler = operation(contract, {
  name: 'Payouts',
  telemetry,
  reserveMs,
  run: (request, { stop }) => useStripe(stop, (work) => retryPayout(work, request)),
  summarise: ({ payout, outcome, newPayout }, { by }) => ({
    message: 'A failed payout was looked at',
    details: { payout, outcome, newPayout: newPayout?.id ?? null, by },
  }),
});
