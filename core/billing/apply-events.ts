import type { ClientBase } from 'pg';
import { inTransaction, type RoundTripObserver, type RunStatement } from '../database/transaction';
import { messageOf } from '../runtime/errors';
import type { EVENT_COLUMNS, RowOf } from './columns';
import { applyIsolated, type IsolationSteps, type TimeLimits } from './isolate';
import type { ObjectState } from './object-state';
import { NO_DEFAULTS, type StateDefaults } from './owner';
import type { EventEnvelope, Provider } from './provider';
import { rowParameters } from './row-parameters';
import { CLAIM_EVENTS, type RowsStatement } from './statements';
import { DEPENDENT_STEPS, STORE_STEPS, storeStates, type AfterStore } from './store-states';

/** How an event reached the platform: delivered by the provider, or found by reconciliation. */
export type EventSource = 'webhook' | 'reconciliation';

/** @typeParam Event an event of the provider that `applyEvents` is called with */
export interface ReceivedEvent<Event> {
  readonly event: Event;
  readonly source: EventSource;
  readonly receivedAt: Date;
  /** The JSON that `event` was parsed from, if it is at hand: it need not be serialised again to be stored. */
  readonly json?: string;
}

export type EventOutcome =
  /** The event and its effect committed now. */
  | { readonly status: 'processed' }
  /** It was recorded, and the platform does not act on it. */
  | { readonly status: 'ignored' }
  /** It had been processed, ignored or dismissed before; nothing changed. */
  | { readonly status: 'duplicate' }
  /**
   * It cannot be applied; the ledger keeps the error and counts the attempts, this one included. An event that could not even
   * be read has no row there, and no attempts.
   */
  | { readonly status: 'failed'; readonly error: string; readonly attempts?: number }
  /** It cannot be applied at this moment, for a reason that is not its own, such as a lock. Nothing was stored: try again. */
  | { readonly status: 'deferred'; readonly error: string };

export interface ApplyOptions {
  /** @default no observer */
  readonly observe?: RoundTripObserver;
  /** Owner of objects whose metadata names none. @default none */
  readonly defaults?: StateDefaults;
  /**
   * Tries everything and rolls it back: the outcomes are those of a real run at this moment. Rows are locked meanwhile.
   *
   * @default false
   */
  readonly dryRun?: boolean;
  /** Further work in the same transaction, before the commit. @default nothing */
  readonly afterStore?: AfterStore;
}

/** Every statement of a batch that stores events and states, in the order in which they are sent. */
export const BATCH_STATEMENTS: readonly RowsStatement[] = [
  CLAIM_EVENTS,
  ...[...STORE_STEPS, ...DEPENDENT_STEPS].map(({ statement }) => statement),
];

/**
 * Every row of the transaction comes from the events that it claims, so the trigger of the ledger checks once for each event
 * whether its person was erased, and the triggers of the other tables do not check every row. See migration 0037.
 */
const CHECKED_BY_EVENT = { name: 'erasure.events', value: 'by_event' };

/** Events that are taken to be new. Among more of them, one that was delivered before would be met too often. */
const MOST_TAKEN_AS_NEW = 10;

/** An event that is to be applied now, and how often that was tried, this time included. */
interface Claim {
  readonly id: string;
  readonly attempts: number;
}

interface PreparedEvent<Event> extends ReceivedEvent<Event> {
  readonly envelope: EventEnvelope;
  /** What the ledger stores of the event, as JSON. */
  readonly payload: string;
  /** The object that the event is about, as it is stored. */
  readonly object?: unknown;
  readonly effects: readonly ObjectState[];
  /** Why the event has no effect; absent when nothing is wrong with it. */
  readonly error?: string;
}

/** What every step of one call works with. */
interface Work<Event> extends Pick<ApplyOptions, 'observe' | 'afterStore' | 'dryRun'> {
  readonly client: ClientBase;
  readonly provider: Provider<Event>;
  readonly defaults: StateDefaults;
}

/**
 * Applies events of one provider to the billing database, the whole batch in one transaction: ledger row and effect commit
 * together or not at all. Events may come in any order and any number of times. One that cannot be applied is recorded as
 * failed, with its error, and does not affect the others; one that waits for a lock is deferred.
 *
 * @returns the outcome of every distinct event, by its id
 * @throws PostgreSQL's error when the database caused it: the part that failed was not committed, and the call may be repeated
 */
export async function applyEvents<Event>(
  client: ClientBase,
  provider: Provider<Event>,
  received: readonly ReceivedEvent<Event>[],
  { defaults = NO_DEFAULTS, ...options }: ApplyOptions = {},
): Promise<Map<string, EventOutcome>> {
  const distinct = new Map(
    received.map((item) => {
      const envelope = provider.identify(item.event);
      return [envelope.id, { ...item, envelope }];
    }),
  );
  const prepared = [...distinct.values()].map((item) => prepare(provider, item, defaults));
  return applyIsolated(prepared, isolationSteps({ client, provider, defaults, ...options }));
}

function prepare<Event>(
  provider: Provider<Event>,
  item: ReceivedEvent<Event> & Pick<PreparedEvent<Event>, 'envelope'>,
  defaults: StateDefaults,
): PreparedEvent<Event> {
  let payload = '{}';
  let object: unknown;
  try {
    const storable = provider.toStorable(item.event, item.json);
    payload = storable === item.event && item.json !== undefined ? item.json : JSON.stringify(storable);
    object = valueAt(storable, provider.objectPath);
    return { ...item, payload, object, effects: provider.effectsOf(storable, defaults) };
  } catch (error) {
    // Recorded without effect. An event that cannot be stored at all can still be fetched from the provider.
    return { ...item, payload, effects: [], error: messageOf(error) };
  }
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((parent, key) => (parent as Record<string, unknown> | undefined)?.[key], value);
}

function isolationSteps<Event>(work: Work<Event>): IsolationSteps<PreparedEvent<Event>, EventOutcome> {
  return {
    together: (events, limits) => applyTogether(work, events, limits),
    record: (event, error, limits) => {
      // An event without effect that is rejected all the same is not at fault.
      if (event.error !== undefined) throw error;
      // Serialising it again drops the numbers that PostgreSQL cannot hold.
      const payload = JSON.stringify(work.provider.toStorable(event.event));
      return applyTogether(work, [{ ...event, payload, effects: [], error: messageOf(error) }], limits);
    },
    defer: (events, reason) =>
      new Map(events.map(({ envelope }) => [envelope.id, { status: 'deferred', error: reason }])),
  };
}

/**
 * Applies the events in one transaction. A few events are taken to be new, and their states are sent together with the
 * claim, which saves a round trip; where one turns out to have been applied before, everything is rolled back and done again
 * in the order of the answers.
 */
async function applyTogether<Event>(
  work: Work<Event>,
  events: readonly PreparedEvent<Event>[],
  limits: TimeLimits,
): Promise<Map<string, EventOutcome>> {
  if (events.length <= MOST_TAKEN_AS_NEW) {
    try {
      return await applyOnce(work, events, limits, true);
    } catch (error) {
      if (!(error instanceof NotAllNew)) throw error;
    }
  }
  return applyOnce(work, events, limits, false);
}

/** Thrown to roll back: the states of an event that was applied before were sent. */
class NotAllNew extends Error {}

/** @param takenAsNew whether states are sent before the claim is answered; @throws NotAllNew */
function applyOnce<Event>(
  { client, provider, defaults, observe, afterStore, dryRun = false }: Work<Event>,
  events: readonly PreparedEvent<Event>[],
  limits: TimeLimits,
  takenAsNew: boolean,
): Promise<Map<string, EventOutcome>> {
  const apply = async (run: RunStatement, commit: () => void): Promise<Map<string, EventOutcome>> => {
    const claiming = run<Claim>(CLAIM_EVENTS, [
      ...rowParameters(CLAIM_EVENTS, events.map(ledgerRow)),
      provider.name,
    ]).then((rows) => new Map(rows.map(({ id, attempts }) => [id, attempts])));
    const confirm = async (): Promise<void> => {
      const { size } = await claiming;
      if (takenAsNew && size < events.length) throw new NotAllNew();
    };
    const confirmed = confirm();
    // Without states, nothing waits for it.
    confirmed.catch(() => undefined);
    const taken = takenAsNew ? new Set(events.map(({ envelope }) => envelope.id)) : await claiming;
    const states = events.flatMap(({ envelope, effects }) => (taken.has(envelope.id) ? effects : []));
    if (states.length > 0) {
      const eventIds = new Map(events.map(({ envelope, object }) => [object, envelope.id]));
      await storeStates(run, states, {
        ledger: {
          provider: provider.name,
          objectPath: provider.objectPath,
          eventIds,
          statesOf: (payload) => provider.effectsOf(payload as Event, defaults),
        },
        confirmed,
        afterStore,
        onSent: commit,
      });
    }
    const claimed = await claiming;
    return new Map(
      events.map((event): [string, EventOutcome] => {
        const { id } = event.envelope;
        const attempts = claimed.get(id);
        return [id, attempts === undefined ? { status: 'duplicate' } : outcomeOf(event, attempts)];
      }),
    );
  };
  return inTransaction(client, apply, {
    observe,
    limits: { ...limits, setting: CHECKED_BY_EVENT },
    rollBack: dryRun,
    withBegin: true,
  });
}

/** The outcome of an event that was claimed. */
function outcomeOf(
  { error, effects }: Pick<PreparedEvent<unknown>, 'error' | 'effects'>,
  attempts: number,
): EventOutcome {
  if (error !== undefined) return { status: 'failed', error, attempts };
  return { status: effects.length > 0 ? 'processed' : 'ignored' };
}

function ledgerRow(event: PreparedEvent<unknown>): RowOf<typeof EVENT_COLUMNS> {
  const { envelope, source, receivedAt, payload, error } = event;
  return {
    id: envelope.id,
    type: envelope.type,
    object_id: envelope.objectId,
    api_version: envelope.apiVersion,
    livemode: envelope.livemode,
    source,
    status: error !== undefined ? 'failed' : event.effects.length > 0 ? 'processed' : 'ignored',
    error: error ?? null,
    occurred_at: envelope.occurredAt,
    received_at: receivedAt,
    payload,
  };
}
