import { SQSClient } from '@aws-sdk/client-sqs';
import type { ClientBase } from 'pg';
import { applyEvents } from '../../core/billing/apply-events';
import { createStripe } from '../../core/providers/stripe/client';
import { pacedCaller } from '../../core/providers/stripe/paced-caller';
import { stripeProvider } from '../../core/providers/stripe/provider';
import { readEvent } from '../../core/providers/stripe/shapes';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { ReconciliationOptions } from '../../lambdas/reconciliation/core';
import { replayRequest, type EventsReport, type ReplayRequest } from '../../lambdas/replay/contract';
import { replay } from '../../lambdas/replay/core';
import type { StripeStandIn } from '../../local/stripe/stand-in';
import { noTilled } from '../../core/providers/tilled/client';
import { delivered } from '../support/billing';

/** Changes at Stripe, by the events about them. */
export type Deliveries = readonly { readonly event: object }[];

/** Applies events as the processor does. */
export async function deliver(client: ClientBase, deliveries: Deliveries): Promise<void> {
  await applyEvents(client, stripeProvider, delivered(deliveries.map(({ event }) => readEvent(event))));
}

/** Dependencies of reconciliation and replay, without waiting for a rate limit. */
export function stripeWork(
  { url }: StripeStandIn,
  client: ClientBase,
  overrides: Partial<StripeWork> = {},
): StripeWork {
  return {
    client,
    stripe: createStripe('sk_test_1', url),
    call: unpacedCaller(),
    tilled: noTilled,
    clock: () => new Date(),
    apply: {},
    stop: new AbortController().signal,
    ...overrides,
  };
}

export type EventsRequest = Exclude<ReplayRequest, { action: 'check' | 'discard' | 'redrive' }>;

/** Calls the core of replay, as its handler does, for a request that needs no queue. */
export async function replayEvents(work: StripeWork, request: EventsRequest): Promise<EventsReport> {
  const queues = { sqs: new SQSClient({}), queueUrl: '', deadLetterQueueUrl: '', stop: work.stop };
  const report = await replay({ ...queues, useStripe: (run) => run(work) }, replayRequest.parse(request));
  if (report.action === 'redrive' || report.action === 'discard' || report.action === 'check')
    throw new Error('unreachable');
  return report;
}

export const unpacedCaller = () => pacedCaller({ callsPerSecond: 10_000, firstBackoffMs: 1 });

/** A run over the last 7 days up to now, which corrects what it finds. */
export const RECONCILE_NOW: ReconciliationOptions = {
  daysBack: 7,
  dryRun: false,
  settleSeconds: 0,
  entitlements: 'sample',
  sampledEntitlements: 50,
};
