import type { Lane, LanePage } from '../stripe/pages';
import type { ListedTilledEvent, OpenTilled } from './client';
import { familyOf } from './provider';

/** One lane for each account whose events are compared; none where the environment takes no Tilled. */
export async function tilledEventLanes(open: OpenTilled, created: NonNullable<Lane['created']>): Promise<Lane[]> {
  const api = await open();
  return (api?.accounts ?? []).map((account) => ({ account, created }));
}

/**
 * The events of the lanes that the platform acts on, page by page and one account after the other; one page is in memory. Pages are asked for by position,
 * which holds as long as the window of a lane is past: no event is added to it.
 *
 * @param stop ends the iteration early, even while a request is pending; `open` hands the same to its requests
 * @throws OperationError `tilled_unavailable`, `tilled_refused`
 */
export async function* tilledEventPages(
  open: OpenTilled,
  lanes: readonly Lane[],
  stop: AbortSignal,
): AsyncGenerator<LanePage<ListedTilledEvent>> {
  const begun = [...lanes.entries()].filter(([, { done }]) => done !== true);
  const api = begun.length === 0 ? undefined : await open();
  if (api === undefined) return;
  for (const [index, begin] of begun) {
    let lane = begin;
    while (lane.done !== true) {
      if (stop.aborted) return;
      const { account = '', created, offset = 0 } = lane;
      const requestedAtSeconds = Math.floor(Date.now() / 1000);
      let page;
      try {
        page = await api.listEvents(account, { ...created, offset });
      } catch (error) {
        if (stop.aborted) return;
        throw error;
      }
      const { items, hasMore } = page;
      lane = { ...lane, offset: offset + items.length, done: !hasMore || items.length === 0 };
      yield { index, next: lane, objects: items.filter(isActedUpon), requestedAtSeconds };
    }
  }
}

/** False of types without an effect here: an endpoint need not be subscribed to them. */
function isActedUpon({ type }: ListedTilledEvent): boolean {
  return typeof type !== 'string' || familyOf(type) !== undefined;
}
