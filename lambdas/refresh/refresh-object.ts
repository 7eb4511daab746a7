import { OBJECT_TABLES } from '../../core/billing/columns';
import { NO_DEFAULTS } from '../../core/billing/owner';
import { storeStates } from '../../core/billing/store-states';
import { momentOf } from '../../core/billing/version';
import { inTransaction, type RunStatement } from '../../core/database/transaction';
import { isEndable } from '../../core/providers/stripe/endings';
import type { SnapshotKind } from '../../core/providers/stripe/requests';
import { readSnapshot, snapshotStates, type Snapshot } from '../../core/providers/stripe/snapshots';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import { messageOf } from '../../core/runtime/errors';
import { type Cancellation, cancelMissing, recordCancellation } from './cancel-missing';
import type { ObjectOutcomeName } from './contract';
import { markDone, recordFailure, type Refresh } from './pending';

/**
 * How far the stored state may be ahead of a request that is made again for it: what happens at Stripe during a run, and
 * clocks that differ. Further ahead are only the objects of a test clock, which no answer is ever newer than.
 */
const MAX_AHEAD_SECONDS = 300;

/** What asking Stripe for an object came to. */
export type Fetched =
  | { readonly kind: SnapshotKind; readonly snapshot: Snapshot }
  | { readonly missing: true }
  | { readonly error: string };

export interface RefreshOutcome {
  readonly outcome: ObjectOutcomeName;
  readonly error?: string;
}

/** Asks Stripe for an object; gives up when the time of the run is up. Never throws. */
export async function fetchObject(
  work: StripeWork,
  kind: SnapshotKind,
  id: string,
  account: string | null = null,
): Promise<Fetched> {
  const { promise: timeUp, resolve } = Promise.withResolvers<Fetched>();
  const giveUp = () => resolve({ error: 'Stripe did not answer within the time of the run' });
  work.stop.addEventListener('abort', giveUp, { once: true });
  const asked = readSnapshot(work, kind, id, account).then(
    (snapshot): Fetched => (snapshot === undefined ? { missing: true } : { kind, snapshot }),
    (error: unknown): Fetched => ({ error: messageOf(error) }),
  );
  try {
    return await Promise.race([asked, timeUp]);
  } finally {
    work.stop.removeEventListener('abort', giveUp);
  }
}

/** Thrown to roll back what a dry run has stored. */
class DryRun extends Error {
  constructor(readonly outcome: RefreshOutcome) {
    super('A dry run is rolled back');
  }
}

export interface StoreOptions {
  /** Roll back what would be stored. */
  readonly dryRun: boolean;
  /** Cancels the object if Stripe does not have it. @default it stays as it is */
  readonly cancellation?: Cancellation | undefined;
}

/**
 * Stores what was fetched and marks the refresh done, in one transaction. What cannot be stored is recorded as failed.
 *
 * @throws PostgreSQL's error when the failure cannot be recorded either: the connection is lost
 */
export async function storeFetched(
  work: StripeWork,
  refresh: Refresh,
  fetched: Fetched,
  { dryRun, cancellation }: StoreOptions,
): Promise<RefreshOutcome> {
  const failed = async (error: string): Promise<RefreshOutcome> => {
    if (!dryRun) await recordFailure(work.client, refresh, error);
    return { outcome: 'failed', error };
  };
  if ('error' in fetched) return failed(fetched.error);
  try {
    return await inTransaction(work.client, async (run) => {
      const outcome = await storeIn(work, run, refresh, fetched, cancellation);
      if (outcome !== 'later') {
        await markDone(run, refresh, outcome === 'missing' ? 'Stripe does not have the object' : null);
      }
      if (dryRun) throw new DryRun({ outcome });
      return { outcome };
    });
  } catch (error) {
    if (error instanceof DryRun) return error.outcome;
    return failed(messageOf(error));
  }
}

async function storeIn(
  work: StripeWork,
  run: RunStatement,
  refresh: Refresh,
  fetched: Exclude<Fetched, { readonly error: string }>,
  cancellation: Cancellation | undefined,
): Promise<ObjectOutcomeName> {
  if (!('missing' in fetched)) return storeSnapshot(work, run, refresh.objectId, fetched);
  const { kind, objectId } = refresh;
  if (cancellation === undefined || !isEndable(kind)) return 'missing';
  const outcome = await cancelMissing(work, run, kind, objectId);
  if (outcome === 'canceled') await recordCancellation(run, kind, objectId, cancellation);
  return outcome;
}

async function storeSnapshot(
  { apply }: StripeWork,
  run: RunStatement,
  id: string,
  { kind, snapshot }: Extract<Fetched, { readonly snapshot: Snapshot }>,
): Promise<ObjectOutcomeName> {
  const states = snapshotStates(kind, snapshot, apply.defaults ?? NO_DEFAULTS);
  const changed = await storeStates(run, states, { afterStore: apply.afterStore });
  if (changed.has(id)) return 'refreshed';
  const [stored] = await run<{ version: string }>(
    {
      name: `find_version_in_${OBJECT_TABLES[kind]}`,
      text: `SELECT version FROM billing.${OBJECT_TABLES[kind]} WHERE id = $1`,
    },
    [id],
  );
  const aheadSeconds = stored === undefined ? 0 : momentOf(stored.version) - snapshot.requestedAtSeconds;
  // An event of the second of the request, or one that arrived meanwhile: a later answer is newer for sure.
  return aheadSeconds >= 0 && aheadSeconds <= MAX_AHEAD_SECONDS ? 'later' : 'unchanged';
}
