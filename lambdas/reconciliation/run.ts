import type { ClientBase } from 'pg';
import type Stripe from 'stripe';
import type { ApplyOptions } from '../../core/billing/apply-events';
import type { CallStripe } from '../../core/providers/stripe/paced-caller';
import type { Lane } from '../../core/providers/stripe/pages';
import type { Log } from '../../core/runtime/telemetry';
import type { Tally } from './page-outcome';

/** The lists of Stripe that a run reads; see `PHASES`. */
export type PhaseName = 'events' | 'subscriptions' | 'checkout_sessions' | 'charges' | 'refunds';

/** How far a run has read; saved with every page. */
export interface Progress {
  readonly phase: PhaseName;
  readonly lanes: readonly Lane[];
}

export interface ReconciliationDependencies {
  /** A connection that only this run uses, not through a proxy: the run takes a session lock. */
  readonly client: ClientBase;
  readonly stripe: Stripe;
  readonly call: CallStripe;
  readonly clock: () => Date;
  readonly log: Log;
  /** Aborted when the time is up: the run saves its position and answers `interrupted`. @default never */
  readonly stop?: AbortSignal;
  /** Defaults and further work, the same as for delivered events. @default none */
  readonly apply?: Pick<ApplyOptions, 'defaults' | 'afterStore'>;
}

/** The part of Stripe's history that a run looks at, by when objects were created. */
export interface Window {
  /** Inclusive, in seconds since 1970. */
  readonly startAtSeconds: number;
  /** Exclusive, in seconds since 1970: newer objects are left to the next run. */
  readonly endAtSeconds: number;
}

/** One run under way. */
export interface Run extends Required<ReconciliationDependencies> {
  readonly id: string;
  readonly dryRun: boolean;
  readonly window: Window;
  /** Replaced with each page that is committed; nothing else of a run changes. */
  tally: Tally;
}
