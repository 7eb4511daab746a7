import { DatabaseError, type ClientBase } from 'pg';
import { inTransaction, type QueryObserver, type RunStatement } from '../database/transaction';
import { messageOf } from '../runtime/errors';
import { effectsOf } from '../providers/stripe/event-effect';
import { NO_DEFAULTS, type ObjectState, type StateDefaults } from './object-state';
import { rowParameters } from './row-parameters';
import { CLAIM_EVENTS } from './statements';
import { storeStates } from './store-states';
import { toStorable } from '../providers/stripe/storable';
import type { StripeEvent } from '../providers/stripe/shapes';

/** Where an event came from: delivered by Stripe, or found by reconciliation. */
export type EventSource = 'webhook' | 'reconciliation';

export interface ReceivedEvent {
  readonly event: StripeEvent;
  readonly source: EventSource;
  readonly receivedAt: Date;
  /** The very JSON that `event` was read from, if it is at hand: it need not be written again to be stored. */
  readonly json?: string;
}

export type EventOutcome =
  /** The event and its effect committed now. */
  | { readonly status: 'processed' }
  /** It had been processed before; nothing changed. */
  | { readonly status: 'duplicate' }
  /** It cannot be applied; the ledger keeps why. */
  | { readonly status: 'failed'; readonly error: string };

export interface ApplyOptions {
  /** @default nobody is told */
  readonly observe?: QueryObserver;
  /** Who objects belong to whose metadata does not say. @default nobody */
  readonly defaults?: StateDefaults;
  /**
   * What else belongs into the same transaction, after the states were stored and before the commit.
   *
   * @param changed ids of the objects whose stored state changed
   * @param states every state of the batch, the ones that were too old to be stored among them
   */
  readonly afterStore?: (
    run: RunStatement,
    changed: ReadonlySet<string>,
    states: readonly ObjectState[],
  ) => Promise<void>;
}

/** How often a batch that lost a deadlock is tried again before it is left to the queue. */
const MAX_DEADLOCK_RETRIES = 3;
const SERIALIZATION_FAILURES = new Set(['40001', '40P01']);
/** SQLSTATE classes that say that the data is wrong: cardinality, data exception, integrity violation, limit exceeded. */
const DATA_ERROR_CLASSES = new Set(['21', '22', '23', '54']);

interface Prepared extends ReceivedEvent {
  /** What is stored of the event, as JSON. */
  readonly payload: string;
  /** What is stored of its object. */
  readonly object?: unknown;
  readonly effects: readonly ObjectState[];
  readonly error?: string;
}

/**
 * Applies events to the billing database, the whole batch in one transaction: ledger row and effect commit together or
 * not at all. Events may come in any order and any number of times. One that cannot be applied is recorded as failed,
 * with its error, and costs the others nothing.
 *
 * @returns the outcome of every distinct event, by its id
 * @throws what PostgreSQL threw, when the fault is not an event's: nothing was committed of the part that failed, and
 * the same call may be made again
 */
export async function applyEvents(
  client: ClientBase,
  received: readonly ReceivedEvent[],
  { defaults = NO_DEFAULTS, ...options }: ApplyOptions = {},
): Promise<Map<string, EventOutcome>> {
  const distinct = new Map(received.map((item) => [item.event.id, item]));
  const prepared = [...distinct.values()].map((item) => prepare(item, defaults));
  return applyIsolated({ client, ...options }, prepared);
}

/** What every step of one call works with. */
interface Work extends Pick<ApplyOptions, 'observe' | 'afterStore'> {
  readonly client: ClientBase;
}

function prepare(item: ReceivedEvent, defaults: StateDefaults): Prepared {
  let payload = '{}';
  let object: unknown;
  try {
    const storable = toStorable(item.event, item.json) as StripeEvent;
    payload = storable === item.event && item.json !== undefined ? item.json : JSON.stringify(storable);
    object = storable.data.object;
    return { ...item, payload, object, effects: effectsOf(storable, defaults) };
  } catch (error) {
    // Recorded without effect. Of an event that cannot be stored at all, Stripe still has the payload.
    return { ...item, payload, effects: [], error: messageOf(error) };
  }
}

/** Halves a batch whose data PostgreSQL refuses until the poison is alone. */
async function applyIsolated(work: Work, events: readonly Prepared[]): Promise<Map<string, EventOutcome>> {
  if (events.length === 0) return new Map();
  try {
    return await retryingDeadlocks(() => applyTogether(work, events));
  } catch (error) {
    const [only, ...others] = events;
    if (!isDataError(error) || only === undefined) throw error;
    if (others.length === 0) {
      // An event that is refused although it has no effect is not at fault.
      if (only.error !== undefined) throw error;
      // Numbers that only PostgreSQL cannot hold are gone from what is written anew.
      const payload = JSON.stringify(toStorable(only.event));
      return applyTogether(work, [{ ...only, payload, effects: [], error: messageOf(error) }]);
    }
    const middle = Math.ceil(events.length / 2);
    const left = await applyIsolated(work, events.slice(0, middle));
    const right = await applyIsolated(work, events.slice(middle));
    return new Map([...left, ...right]);
  }
}

function applyTogether(
  { client, observe, afterStore }: Work,
  events: readonly Prepared[],
): Promise<Map<string, EventOutcome>> {
  const apply = async (run: RunStatement): Promise<Map<string, EventOutcome>> => {
    const rows = await run(CLAIM_EVENTS, rowParameters(CLAIM_EVENTS, events.map(ledgerRow)));
    const claimed = new Set(rows.map((row) => row.id));
    const states = events.flatMap(({ event, effects }) => (claimed.has(event.id) ? effects : []));
    if (states.length > 0) {
      const ledgered = new Map(events.map(({ event, object }) => [object, event.id]));
      await storeStates(run, states, { ledgered, afterStore: (changed) => afterStore?.(run, changed, states) });
    }
    return new Map(
      events.map(({ event, error }): [string, EventOutcome] => {
        if (!claimed.has(event.id)) return [event.id, { status: 'duplicate' }];
        return [event.id, error === undefined ? { status: 'processed' } : { status: 'failed', error }];
      }),
    );
  };
  return inTransaction(client, apply, observe);
}

function ledgerRow({ event, source, receivedAt, payload, error }: Prepared) {
  return {
    id: event.id,
    type: event.type,
    api_version: event.api_version,
    livemode: event.livemode,
    source,
    error,
    occurred_at: new Date(event.created * 1000),
    received_at: receivedAt,
    payload,
  };
}

async function retryingDeadlocks<T>(attempt: () => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const lost = error instanceof DatabaseError && SERIALIZATION_FAILURES.has(error.code ?? '');
      if (!lost || retries === MAX_DEADLOCK_RETRIES) throw error;
    }
  }
}

function isDataError(error: unknown): boolean {
  return error instanceof DatabaseError && DATA_ERROR_CLASSES.has((error.code ?? '').slice(0, 2));
}
