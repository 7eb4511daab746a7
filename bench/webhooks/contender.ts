import type { BenchDatabase } from '../support/server';
import type { QueryCounter } from '../support/count-queries';
import type { Delivery } from './workload';

/** Applies some deliveries and resolves when their effect is committed. */
export type Apply = (deliveries: readonly Delivery[]) => Promise<void>;

/** Something that turns signed events into rows. */
export interface Contender {
  readonly name: string;
  /** Deliveries that it takes at once. */
  readonly batchSize: number;
  /** Every statement that it sends is counted here. */
  readonly queries: QueryCounter;
  /** Counts what its rows should be: one per event, or one per subscription. */
  readonly evidence: { readonly sql: string; readonly per: 'event' | 'subscription' };
  /** Creates its schema in an empty database. */
  prepare(database: BenchDatabase): Promise<void>;
  /** Opens what `concurrency` workers need. */
  open(database: BenchDatabase, concurrency: number): Promise<{ workers: Apply[]; close: () => Promise<void> }>;
}
