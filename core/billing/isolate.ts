import { DatabaseError } from 'pg';
import { retryingDeadlocks } from '../database/retry-deadlocks';
import { messageOf } from '../runtime/errors';

/** What an attempt may take before PostgreSQL cancels it, in milliseconds. */
export interface TimeLimits {
  readonly lockMs: number;
  readonly statementMs: number;
}

/** Of a whole batch. The sum stays below the 30 s of the processor, whose sessions would otherwise outlive it. */
const BATCH_LIMITS: TimeLimits = { lockMs: 2_000, statementMs: 10_000 };
/** Of a part of a batch that failed: whatever locked a row a moment ago mostly still does. */
const PART_LIMITS: TimeLimits = { lockMs: 250, statementMs: 5_000 };
/** Time after which no further part is tried, in milliseconds; what is left is deferred. */
const BUDGET_MS = 15_000;
/** Deferred events after which the rest is deferred as well: then a table is locked and not a row. */
const MAX_DEFERRED_ALONE = 8;

/**
 * Whose fault a failure is: the event's own, which counts as an attempt; that of other sessions or of the schema at this
 * moment, so that the event is tried later; or the database's, which fails the whole call.
 */
export type Fault = 'event' | 'moment' | 'database';

/**
 * SQLSTATEs and classes that no event causes: connection and authentication, a shutdown or failover, a disk, memory or
 * connections that are used up, an unreadable file, a server that became read-only, and statements that a proxy lost.
 */
const DATABASE_FAULTS = /^(08|28|3D|57P|58|53100|53200|53300|25006|26000|0A000)/;
/** A lock of another session, a lost deadlock, or a schema that does not fit, as between a deployment and its migrations. */
const MOMENT_FAULTS = /^(55P03|40001|40P01|42)/;

/** Everything that is not known to have another cause is the event's fault, so that one event never stops the others. */
export function faultOf(error: unknown): Fault {
  if (!(error instanceof DatabaseError)) return 'database';
  const code = error.code ?? '';
  if (DATABASE_FAULTS.test(code)) return 'database';
  return MOMENT_FAULTS.test(code) ? 'moment' : 'event';
}

export interface IsolationSteps<Item, Outcome> {
  /** Applies all of them, or nothing and throws. */
  readonly together: (items: readonly Item[], limits: TimeLimits) => Promise<Map<string, Outcome>>;
  /** Records an item that failed alone, by its own fault. */
  readonly record: (item: Item, error: unknown, limits: TimeLimits) => Promise<Map<string, Outcome>>;
  /** The outcomes of items that are to be tried later. Nothing of them was stored. */
  readonly defer: (items: readonly Item[], reason: string) => Map<string, Outcome>;
}

/**
 * Applies a batch together. After a failure that the database did not cause, it is halved until what failed is alone: the
 * rest is applied, and one poison event or one locked row stops nothing else.
 *
 * @throws the error of a failure that the database caused; parts that were applied before it stay applied
 */
export async function applyIsolated<Item, Outcome>(
  items: readonly Item[],
  steps: IsolationSteps<Item, Outcome>,
  now: () => number = Date.now,
): Promise<Map<string, Outcome>> {
  const deadline = now() + BUDGET_MS;
  let deferredAlone = 0;

  async function attempt(part: readonly Item[], limits: TimeLimits): Promise<Map<string, Outcome>> {
    const [first] = part;
    if (first === undefined) return new Map();
    if (deferredAlone >= MAX_DEFERRED_ALONE) return steps.defer(part, 'Others of the batch could not be applied now');
    if (limits === PART_LIMITS && now() > deadline) return steps.defer(part, 'No time was left for it');
    try {
      return await retryingDeadlocks(() => steps.together(part, limits));
    } catch (error) {
      const fault = faultOf(error);
      if (fault === 'database') throw error;
      if (part.length > 1) {
        const middle = Math.ceil(part.length / 2);
        const left = await attempt(part.slice(0, middle), PART_LIMITS);
        return new Map([...left, ...(await attempt(part.slice(middle), PART_LIMITS))]);
      }
      if (fault === 'event') return record(first, error);
      return defer(first, error);
    }
  }

  async function record(item: Item, cause: unknown): Promise<Map<string, Outcome>> {
    try {
      return await steps.record(item, cause, PART_LIMITS);
    } catch (error) {
      if (faultOf(error) === 'database') throw error;
      return defer(item, error);
    }
  }

  function defer(item: Item, error: unknown): Map<string, Outcome> {
    deferredAlone += 1;
    return steps.defer([item], messageOf(error));
  }

  return attempt(items, BATCH_LIMITS);
}
