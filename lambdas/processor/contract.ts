import type { CacheEnvironment } from '../../core/cache/contract';
import type { BaseEnvironment, BillingDatabaseEnvironment } from '../../core/contract';

export interface ProcessorEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, CacheEnvironment {
  /** URL of the dead-letter queue, where events that failed every attempt are parked. */
  readonly DEAD_LETTER_QUEUE_URL: string;
  /** App that an object belongs to whose metadata names none. @default - it belongs to none */
  readonly DEFAULT_APP_ID?: string;
  /** Project that an object belongs to whose metadata names none. @default - it belongs to none */
  readonly DEFAULT_PROJECT_ID?: string;
}

/**
 * Events applied in one transaction. Higher is more events a second, by a tenth from 100 to 200 and by nothing beyond; a
 * poison event makes a larger batch run again.
 */
export const BATCH_SIZE = 200;

/**
 * Receives after which SQS itself parks a message, whatever became of it: the most that SQS takes. Lower parks the events of
 * an outage, to be moved back by hand; at one receive in three minutes, this is two days.
 */
export const MAX_RECEIVES = 1000;

export const PROCESSOR_METRICS = {
  /** Events whose effect committed, and those that were recorded because the platform does not act on them. */
  processed: 'EventsProcessed',
  /** Events that could not be applied in this attempt. */
  failed: 'EventsFailed',
  /** Events that wait for a lock or for the schema, and are delivered again; no attempt of theirs is counted. */
  deferred: 'EventsDeferred',
  /**
   * Messages that failed for the last time and were parked in the dead-letter queue. One that is no event at all has no id,
   * and so no row in the ledger: the parked message itself is its record.
   */
  parked: 'EventsParked',
  /** Deliveries of an event that had been processed before. */
  duplicates: 'EventsDuplicate',
  /** Milliseconds of each round trip to the database: the statements that are sent together. */
  queryDuration: 'QueryDuration',
  /** Milliseconds between the creation at the provider of a batch's oldest event and its commit here. */
  lag: 'EventLag',
  /** Deliveries by their outcome. Dimension `status`: `processed`, `ignored`, `duplicate`, `failed` or `deferred`. */
  processedByStatus: 'WebhookProcessed',
  /** Dimensions `app` and `plan`. */
  subscriptionCreated: 'SubscriptionCreated',
  /** Dimensions `app` and `plan`. */
  subscriptionCanceled: 'SubscriptionCanceled',
  /** Events in the shape of another API version than the one that the platform is written for. */
  apiVersionDrift: 'ApiVersionDrift',
  /** Events by which a Connect account is restricted, or removed the platform: no payouts until its owner acts. */
  accountsRestricted: 'ConnectAccountsRestricted',
} as const;

/** Distinct values that a dimension may take before further ones are counted as `other`. */
export const MAX_DIMENSION_VALUES = 20;
