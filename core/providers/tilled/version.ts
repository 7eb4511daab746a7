import { versionKey } from '../../billing/version';

/** Below every rank of a status. */
const STATUSES_PER_MS = 100;

/**
 * The key of a state by the object's own `updated_at`, to the millisecond: whichever event carries the object, or an answer of
 * the API, the same state has the same key. So no two events of one second have to be told apart, and no event is named.
 *
 * @param order the usual order of statuses within one millisecond
 */
export function versionOf(
  { updated_at: updated, created_at: created }: { updated_at?: Date | null | undefined; created_at: Date },
  progress: number,
  order: readonly string[],
  status: string,
): string {
  const at = (updated ?? created).getTime();
  const rank = (at % 1000) * STATUSES_PER_MS + order.indexOf(status) + 1;
  return versionKey({ progress, moment: Math.floor(at / 1000), rank, eventId: '' });
}
