import type { ClientBase } from 'pg';
import type Stripe from 'stripe';
import type { ApplyOptions } from '../../core/billing/apply-events';
import type { CallStripe } from '../../core/providers/stripe/paced-caller';
import type { Lane } from '../../core/providers/stripe/pages';
import type { Log } from '../../core/runtime/telemetry';

/** What a run counts, under the names of its columns. */
export interface Counters {
  readonly events_checked: number;
  readonly events_missed: number;
  readonly subscriptions_checked: number;
  readonly purchases_checked: number;
  readonly charges_checked: number;
  readonly drift_detected: number;
  readonly corrected: number;
  /** Objects and events of Stripe's that could not be read or applied. */
  readonly errors: number;
}

export const COUNTER_NAMES = [
  'events_checked',
  'events_missed',
  'subscriptions_checked',
  'purchases_checked',
  'charges_checked',
  'drift_detected',
  'corrected',
  'errors',
] as const satisfies readonly (keyof Counters)[];

/** The lists of Stripe that a run reads, in this order. */
export const PHASES = ['events', 'subscriptions', 'checkout_sessions', 'charges', 'refunds'] as const;
export type PhaseName = (typeof PHASES)[number];

/** How far a run has read; saved with every page. */
export interface Progress {
  readonly phase: PhaseName;
  readonly lanes: readonly Lane[];
}

export interface ReconciliationDependencies {
  /** A connection of the run's own to the billing database, not through a proxy: the run holds a session lock. */
  readonly client: ClientBase;
  readonly stripe: Stripe;
  readonly call: CallStripe;
  readonly clock: () => Date;
  readonly log: Log;
  /** Aborted when the time is up: the run saves where it is and answers `interrupted`. @default never */
  readonly stop?: AbortSignal;
  /** How states are stored besides; the same as where delivered events are applied. */
  readonly apply?: Pick<ApplyOptions, 'defaults' | 'afterStore'>;
}

/** One run under way. */
export interface Run extends Required<ReconciliationDependencies> {
  readonly id: string;
  readonly dryRun: boolean;
  /** Start of the window, in seconds since 1970. */
  readonly since: number;
  /** End of the window, exclusive, in seconds since 1970: what was made later is left to the next run. */
  readonly until: number;
  /** What was committed so far. */
  counters: Counters;
  /** The first of the objects and events that are counted as errors, each with its reason. */
  problems: readonly string[];
}

/** Problems that a run keeps for its error message. */
export const KEPT_PROBLEMS = 5;
