import type { ClientBase } from 'pg';
import type Stripe from 'stripe';
import type { ApplyOptions } from '../../core/billing/apply-events';
import type { CallStripe } from '../../core/providers/stripe/paced-caller';
import type { Lane } from '../../core/providers/stripe/pages';
import type { OpenTilled } from '../../core/providers/tilled/client';
import type { Log } from '../../core/runtime/telemetry';
import type { Tally } from './page-outcome';

/** The lists that a run reads; see `PHASES`. */
export type PhaseName =
  | 'events'
  | 'subscriptions'
  | 'test_clocks'
  | 'customers'
  | 'invoices'
  | 'invoice_payments'
  | 'checkout_sessions'
  | 'payment_intents'
  | 'charges'
  | 'refunds'
  | 'disputes'
  | 'early_fraud_warnings'
  | 'accounts'
  | 'single_objects'
  | 'entitlements'
  | 'tilled_events';

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
  /** @default the environment takes no Tilled */
  readonly tilled?: OpenTilled;
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
  /** An older part, another one each day: what was created then is compared as well. @default none is older */
  readonly slice?: TimeRange;
}

/** In seconds since 1970. */
export interface TimeRange {
  readonly gte: number;
  readonly lt: number;
}

/**
 * Where the parts end that had their turn: what is too much for one run is read in turns, and the next complete run
 * continues behind them. Last ids by what they are of, and the older slice.
 */
export interface Turns {
  readonly ids: Readonly<Record<string, string>>;
  readonly slice?: TimeRange;
}

/** Whose entitlements a run computes again from Stripe: a sample that changes every day, or everybody's. */
export type JudgedEntitlements = 'sample' | 'all';

/** One run under way. */
export interface Run extends Required<ReconciliationDependencies> {
  readonly id: string;
  readonly dryRun: boolean;
  readonly window: Window;
  readonly entitlements: JudgedEntitlements;
  /** Subscriptions, and as many purchases, of a sample. */
  readonly sampledEntitlements: number;
  /** Last ids of the parts whose turn it was before this run. */
  readonly turns: Turns;
  /** Those of the parts whose turn it is in this run. */
  readonly taken: Map<string, string>;
  /** Replaced with each page that is committed; nothing else of a run changes. */
  tally: Tally;
}
