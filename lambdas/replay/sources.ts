import type { ProviderName } from '../../core/providers/contract';
import { ENDPOINT_EVENT_TYPES } from '../../core/providers/stripe/event-effect';
import { pagesOf, type Lane, type LanePage } from '../../core/providers/stripe/pages';
import { eventLanes, listEvents, retrieveEvent } from '../../core/providers/stripe/requests';
import { isMissingAtStripe } from '../../core/providers/stripe/snapshots';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { OpenTilled } from '../../core/providers/tilled/client';
import { tilledEventLanes, tilledEventPages } from '../../core/providers/tilled/event-pages';
import { momentOf, type TilledEvent } from '../../core/providers/tilled/shapes';
import { InvalidRequestError } from '../../core/runtime/errors';
import type { CheckedReplayRequest, ReportedEvent } from './contract';

/** `gaps` reports what the ledger lacks or has as failed, and `replay` applies it. */
export type RangeRequest = Extract<CheckedReplayRequest, { action: 'gaps' | 'replay' }>;

/** In seconds since 1970, as providers filter by. */
export interface Range {
  readonly gte: number;
  readonly lt: number;
}

/** What a report says of any event, as far as the event says it. */
export type EventHead = Pick<ReportedEvent, 'id' | 'type' | 'created'>;

/** How far a lane was read. */
export interface LaneProgress {
  readonly lane: Lane;
  /** In seconds since 1970, of a lane that is read backwards. */
  readonly unreadBefore: number;
}

/** A provider's events, as replay reads them. */
export interface EventSource {
  /** The provider in a sentence. */
  readonly title: string;
  lanes(work: StripeWork, range: Range, position: RangeRequest['position']): Promise<readonly Lane[]>;
  /** Ends early when the time is up. */
  pages(work: StripeWork, lanes: readonly Lane[]): AsyncIterable<LanePage<{ readonly id: string }>>;
  /** `undefined` when the provider does not have it. */
  retrieve(work: StripeWork, id: string): Promise<unknown>;
  headOf(event: { readonly id: string }): EventHead;
  /** The request for what was not read; `undefined` when all was. */
  continuation(
    request: RangeRequest,
    range: Range,
    progress: readonly LaneProgress[],
  ): CheckedReplayRequest | undefined;
}

const isoOf = (seconds: number) => new Date(seconds * 1000).toISOString();

const stripe: EventSource = {
  title: 'Stripe',
  lanes: async (_work, range) => eventLanes(ENDPOINT_EVENT_TYPES, range),
  pages: ({ stripe: client, call, stop }, lanes) => pagesOf(call, listEvents(client), lanes, stop),
  async retrieve({ stripe: client, call }, id) {
    try {
      return (await call(() => retrieveEvent(client, id))).value;
    } catch (error) {
      if (isMissingAtStripe(error)) return undefined;
      throw error;
    }
  },
  headOf(event) {
    const { id, type, created } = event as { id: string; type: string; created: number };
    return { id, type, created: isoOf(created) };
  },
  continuation(request, { gte }, progress) {
    const restBefore = Math.max(gte, ...progress.map(({ unreadBefore }) => unreadBefore));
    return restBefore > gte ? { ...request, from: isoOf(gte), to: isoOf(restBefore) } : undefined;
  },
};

const tilled: EventSource = {
  title: 'Tilled',
  async lanes(work, range, position) {
    const lanes = await tilledEventLanes(takenTilled(work), range);
    if (position === undefined) return lanes;
    const current = lanes.findIndex(({ account }) => account === position.account);
    if (current < 0) throw new InvalidRequestError('position.account: expected an account of the secret with the key');
    return lanes.map((lane, index) => {
      if (index < current) return { ...lane, done: true };
      return index === current ? { ...lane, offset: position.offset } : lane;
    });
  },
  pages: (work, lanes) => tilledEventPages(work.tilled, lanes, work.stop),
  retrieve: async (work, id) => (await takenTilled(work)())?.retrieveEvent(id),
  headOf(event) {
    const { id, type } = event as { id: string; type?: unknown };
    return { id, ...(typeof type === 'string' && { type }), ...createdOf(event) };
  },
  continuation(request, { gte, lt }, progress) {
    const rest = progress.find(({ lane }) => lane.done !== true)?.lane;
    if (rest?.account === undefined) return undefined;
    const position = { account: rest.account, offset: rest.offset ?? 0 };
    return { ...request, from: isoOf(gte), to: isoOf(lt), position };
  },
};

/** By the names of the providers. */
export const SOURCES: Readonly<Record<ProviderName, EventSource>> = { stripe, tilled };

/** @throws InvalidRequestError by the result, where the environment takes no Tilled */
function takenTilled({ tilled: open }: Pick<StripeWork, 'tilled'>): OpenTilled {
  return async () => {
    const api = await open();
    if (api === undefined) throw new InvalidRequestError('provider: this environment takes no Tilled');
    return api;
  };
}

function createdOf(event: object): Pick<EventHead, 'created'> {
  try {
    return { created: momentOf(event as TilledEvent).toISOString() };
  } catch {
    // It cannot be applied either, and the outcome says why.
    return {};
  }
}
