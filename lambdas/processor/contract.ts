import type { BaseEnvironment, BillingDatabaseEnvironment } from '../shared/contract';

export interface ProcessorEnvironment extends BaseEnvironment, BillingDatabaseEnvironment {}

/** Receives before an event is parked in the dead-letter queue: G1 and G2, "retried up to 3 times". */
export const MAX_ATTEMPTS = 3;

export const PROCESSOR_METRICS = {
  /** Events whose effect committed. */
  processed: 'EventsProcessed',
  /** Events that could not be applied in this attempt. */
  failed: 'EventsFailed',
  /** Deliveries of an event that had been processed before. */
  duplicates: 'EventsDuplicate',
  /** Milliseconds of each SQL statement. */
  queryDuration: 'QueryDuration',
  /** Milliseconds between an event's creation at Stripe and its commit here. */
  lag: 'EventLag',
} as const;
