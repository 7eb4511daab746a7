import type { CacheEnvironment } from '../../core/cache/contract';
import type { StripeFunctionEnvironment } from '../../core/contract';

export interface ReplayEnvironment extends StripeFunctionEnvironment, CacheEnvironment {
  /** Queue of verified events that the processor takes from. */
  readonly QUEUE_URL: string;
  /** Queue of events that failed every attempt. */
  readonly DEAD_LETTER_QUEUE_URL: string;
}

/** A range of time by the moment at which Stripe made an event. Stripe lists events for 30 days only. */
export interface EventRange {
  /** ISO 8601, inclusive. */
  readonly from: string;
  /** ISO 8601, exclusive. @default now */
  readonly to?: string;
}

/** Every action but `gaps` changes something, and does so only when `dryRun` is `false`. */
export type ReplayRequest =
  /** What Stripe has in a range that the ledger lacks, or has as failed. Changes nothing. */
  | ({ readonly action: 'gaps' } & EventRange)
  /** Applies the events of a range that the ledger lacks, or has as failed. */
  | ({ readonly action: 'replay'; readonly dryRun?: boolean } & EventRange)
  /** Applies single events, or all that failed, from what the ledger keeps of them; from Stripe what it does not keep. */
  | {
      readonly action: 'retry';
      /** Up to 100 ids, or all that the ledger has as not processed. */
      readonly events: readonly string[] | 'failed';
      /** With `failed`: go on after this id. */
      readonly after?: string;
      readonly dryRun?: boolean;
    }
  /** Moves what is parked in the dead-letter queue back to the queue. */
  | {
      readonly action: 'redrive';
      /** Messages to move at most. @default what is parked when it begins */
      readonly limit?: number;
      readonly dryRun?: boolean;
    };

export type EventOutcomeName =
  /** Applied now. */
  | 'processed'
  /** Had been applied before; nothing changed. */
  | 'already_processed'
  /** Cannot be applied; `error` says why, and so does the ledger. */
  | 'failed'
  /** In a dry run: would be applied. */
  | 'would_apply'
  /** In a gap report: Stripe has it and the ledger does not. */
  | 'missing'
  /** Neither the ledger nor Stripe knows it; Stripe forgets an event after 30 days. */
  | 'not_found';

export interface ReportedEvent {
  readonly id: string;
  readonly type?: string;
  /** ISO 8601; when Stripe made it. */
  readonly created?: string;
  readonly outcome: EventOutcomeName;
  readonly error?: string;
}

/** Answer to `gaps`, `replay` and `retry`. */
export interface EventsReport {
  readonly action: 'gaps' | 'replay' | 'retry';
  readonly dry_run: boolean;
  readonly checked: number;
  /** How many events there were of each outcome; outcomes that did not occur are left out. */
  readonly outcomes: Readonly<Partial<Record<EventOutcomeName, number>>>;
  /** Those that were not applied before, the first 200. */
  readonly events: readonly ReportedEvent[];
  /** The request that goes on, when the time was up before the end. */
  readonly next?: ReplayRequest;
}

export interface RedriveReport {
  readonly action: 'redrive';
  readonly dry_run: boolean;
  /** Messages in the dead-letter queue when it began, by SQS's own estimate. */
  readonly parked: number;
  readonly moved: number;
  /** The request that goes on, when the time was up before the end. */
  readonly next?: ReplayRequest;
}

export const REPLAY_METRICS = {
  /** Events that were applied, and messages that were moved. */
  replayed: 'EventsReplayed',
  /** Events that could not be applied this time either. */
  eventsFailed: 'EventsReplayFailed',
  /** 1 for each invocation that hit an error. */
  failed: 'ReplayFailed',
} as const;
