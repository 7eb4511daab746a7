import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { ReconciliationReport } from '../../lambdas/reconciliation/contract';
import { reconcile, type ReconciliationOptions } from '../../lambdas/reconciliation/core';
import type { EventsReport } from '../../lambdas/replay/contract';
import { startStripeStandIn, type StripeStandIn } from '../../local/stripe/stand-in';
import {
  deliver,
  RECONCILE_NOW,
  replayEvents,
  stripeWork,
  type Deliveries,
  type EventsRequest,
} from '../factories/stripe-work';
import { useBillingDatabase, type BillingDatabase } from './billing';
import { silentLog } from './log';

export interface StripeAndDatabase extends BillingDatabase {
  readonly stripe: () => StripeStandIn;
  /** Applies the events of changes at Stripe; every other change was never received. */
  readonly deliver: (...deliveries: Deliveries) => Promise<void>;
  readonly work: (overrides?: Partial<StripeWork>) => StripeWork;
  /** Reconciles the last 7 days up to now. */
  readonly reconcile: (
    options?: Partial<ReconciliationOptions>,
    overrides?: Partial<StripeWork>,
  ) => Promise<ReconciliationReport>;
  readonly replay: (request: EventsRequest, overrides?: Partial<StripeWork>) => Promise<EventsReport>;
}

/** An empty Stripe and an empty billing database for every test of the file. */
export function useStripeAndDatabase(): StripeAndDatabase {
  const billing = useBillingDatabase();
  let stripe: StripeStandIn;
  beforeEach(async () => {
    stripe = await startStripeStandIn();
  });
  afterEach(() => stripe.stop());
  const work = (overrides?: Partial<StripeWork>) => stripeWork(stripe, billing.client(), overrides);
  return {
    ...billing,
    stripe: () => stripe,
    deliver: (...deliveries) => deliver(billing.client(), deliveries),
    work,
    replay: (request, overrides) => replayEvents(work(overrides), request),
    reconcile: (options, overrides) =>
      reconcile({ ...work(overrides), log: silentLog }, { ...RECONCILE_NOW, ...options }),
  };
}

export const nowSeconds = () => Math.floor(Date.now() / 1000);
export const daysAgoSeconds = (days: number) => nowSeconds() - days * 86_400;
