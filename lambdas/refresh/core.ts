import type { ClientBase } from 'pg';
import { recordSuccess } from '../../core/database/job-success';
import { isEndable } from '../../core/providers/stripe/endings';
import { isSnapshotKind, kindOfId, SNAPSHOT_PREFIXES } from '../../core/providers/stripe/snapshots';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import { InvalidRequestError } from '../../core/runtime/errors';
import { runConcurrently } from '../../core/runtime/run-concurrently';
import type { Log } from '../../core/runtime/telemetry';
import type { Cancellation } from './cancel-missing';
import type { ObjectOutcomeName, RefreshedObject, RefreshReport } from './contract';
import {
  accountOfPayout,
  countPending,
  dueRefreshes,
  pendingRefresh,
  requestLatePayouts,
  type Refresh,
} from './pending';
import { fetchObject, storeFetched, type StoreOptions } from './refresh-object';

/** Refreshes that are read from the list at once. */
const PAGE_SIZE = 100;
/** Objects that are requested from Stripe at a time: one that is answered slowly does not hold up the others. */
const REQUESTS_AT_A_TIME = 5;
const MAX_REPORTED = 100;

export interface RefreshDependencies extends StripeWork {
  readonly log: Log;
}

export interface RefreshOptions {
  /** Id of the one object to read. @default every object whose refresh is due */
  readonly object?: string | undefined;
  /** Cancels the object if Stripe does not have it. @default it stays as it is */
  readonly cancelMissing?: Cancellation | undefined;
  /** Roll back what would be stored. */
  readonly dryRun: boolean;
}

/**
 * Reads objects from Stripe and stores them as reconciliation does: stamped with the moment of the request, so that an event
 * of that second or a later one is never overwritten. A refresh that fails is tried again later and costs the others nothing.
 *
 * When the time is up, requests that are not answered count as failed; what was not begun is left to the next run.
 *
 * @throws InvalidRequestError when `object` is no id of a kind that is stored, or, with `cancelMissing`, of one that is canceled
 * @throws OperationError `database_unavailable`; `configuration` for a key of the other mode
 */
export async function refresh(
  dependencies: RefreshDependencies,
  { object, cancelMissing: cancellation, dryRun }: RefreshOptions,
): Promise<RefreshReport> {
  const { client, clock } = dependencies;
  if (cancellation !== undefined && (object === undefined || !isEndable(kindOfId(object)))) {
    const prefixes = SNAPSHOT_PREFIXES.filter((prefix) => isEndable(kindOfId(prefix)));
    throw new InvalidRequestError(
      `cancelMissing: only together with an id in \`object\` that begins with one of ${prefixes.join(', ')}`,
    );
  }
  const startedMs = clock().getTime();
  const refreshed =
    object === undefined
      ? await refreshDue(dependencies, dryRun)
      : await refreshAll(dependencies, [await namedObject(client, object)], { dryRun, cancellation });
  const outcomes: Partial<Record<ObjectOutcomeName, number>> = {};
  for (const { outcome } of refreshed) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  if (object === undefined && !dryRun) await recordSuccess(client, 'refresh', clock(), dependencies.log);
  return {
    dryRun,
    outcomes,
    objects: refreshed.slice(0, MAX_REPORTED),
    pending: await countPending(client),
    durationMs: clock().getTime() - startedMs,
  };
}

/** The pending refresh of the object, or one that is only made now. */
async function namedObject(client: ClientBase, objectId: string): Promise<Refresh> {
  const kind = kindOfId(objectId);
  if (kind === undefined) {
    throw new InvalidRequestError(
      `object: expected an id that begins with one of ${SNAPSHOT_PREFIXES.join(', ')}, not \`${objectId}\``,
    );
  }
  const account = kind === 'payout' ? await accountOfPayout(client, objectId) : null;
  return (await pendingRefresh(client, kind, objectId)) ?? { kind, objectId, account };
}

/** Makes each refresh that is due once. */
async function refreshDue(dependencies: RefreshDependencies, dryRun: boolean): Promise<RefreshedObject[]> {
  const { client, clock, stop } = dependencies;
  const refreshed: RefreshedObject[] = [];
  if (!dryRun) await requestLatePayouts(client, clock());
  for (let afterId = '0'; !stop.aborted;) {
    const page = await dueRefreshes(client, { now: clock(), afterId, limit: PAGE_SIZE });
    const last = page.at(-1);
    if (last === undefined) break;
    refreshed.push(...(await refreshAll(dependencies, page, { dryRun })));
    afterId = last.rowId;
  }
  return refreshed;
}

async function refreshAll(
  dependencies: RefreshDependencies,
  refreshes: readonly Refresh[],
  options: StoreOptions,
): Promise<RefreshedObject[]> {
  const { stop, log } = dependencies;
  const refreshed: RefreshedObject[] = [];
  const exclusively = oneAtATime();
  const lanes = Array.from({ length: REQUESTS_AT_A_TIME }, (_, lane) => lane);
  await runConcurrently(refreshes, lanes, async (wanted) => {
    if (stop.aborted) return;
    const { kind, objectId: id, account } = wanted;
    const fetched = isSnapshotKind(kind)
      ? await fetchObject(dependencies, kind, id, account)
      : { error: `Stripe is not asked for objects of kind ${kind}` };
    // The connection has one transaction at a time.
    const { outcome, error } = await exclusively(() => storeFetched(dependencies, wanted, fetched, options));
    refreshed.push({ id, kind, outcome, ...(error === undefined ? {} : { error }) });
    if (outcome === 'failed')
      log.error('An object could not be refreshed; it is tried again later', { id, kind, error });
    if (outcome === 'canceled' && !options.dryRun)
      log.warn('An object that Stripe does not have was canceled', { id, kind, by: options.cancellation?.by });
    if (outcome === 'missing') log.warn('Stripe does not have an object that was to be refreshed', { id, kind });
  });
  return refreshed;
}

/** Runs what it is given in the order of the calls, each when the one before has ended, however it did. */
function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let previous: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = previous.then(work);
    previous = result.catch(() => undefined);
    return result;
  };
}
