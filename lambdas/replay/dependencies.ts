import type { SQSClient } from '@aws-sdk/client-sqs';
import { applyEvents, type EventOutcome } from '../../core/billing/apply-events';
import { stripeProvider } from '../../core/providers/stripe/provider';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { ReportedEvent } from './contract';

/** When the time is up, the report holds the request that goes on. */
export type EventDependencies = StripeWork;

export interface QueueDependencies {
  readonly sqs: SQSClient;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly stop: AbortSignal;
}

/** Applies events like delivered ones, in one transaction, and says what became of each. */
export async function applyAndReport(
  { client, clock, apply }: EventDependencies,
  events: readonly StripeEvent[],
): Promise<ReportedEvent[]> {
  const receivedAt = clock();
  const outcomes = await applyEvents(
    client,
    stripeProvider,
    // The source of an event that the ledger has already stays what it was.
    events.map((event) => ({ event, source: 'reconciliation', receivedAt })),
    apply,
  );
  return events.map((event) => ({ ...describe(event), ...reported(outcomes.get(event.id)) }));
}

function reported(outcome: EventOutcome | undefined): Pick<ReportedEvent, 'outcome' | 'error'> {
  if (outcome?.status === 'failed') return { outcome: 'failed', error: outcome.error };
  return { outcome: outcome?.status === 'processed' ? 'processed' : 'already_processed' };
}

/** What a report says of an event that Stripe or the ledger gave. */
export function describe(event: Pick<StripeEvent, 'id' | 'type' | 'created'>): Omit<ReportedEvent, 'outcome'> {
  return { id: event.id, type: event.type, created: new Date(event.created * 1000).toISOString() };
}
