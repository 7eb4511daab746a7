import { HeadObjectCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3';
import { signatureKey } from '../../core/archive/keys';
import { objectsOf, ownKey } from '../../core/archive/manifest';
import { lookUpManifest, type SignedStore, type StoredManifest } from '../../core/archive/signed-manifest';
import { listSlots } from '../../core/archive/store';
import type { DatabaseName } from '../../core/contract';
import { messageOf } from '../../core/runtime/errors';
import { runConcurrently } from '../../core/runtime/run-concurrently';
import type { Log } from '../../core/runtime/telemetry';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Days before its end that a lock is extended. Fewer, and a week without runs may miss it; more would be for nothing. */
const EXTEND_WITHIN_DAYS = 7;
/** Requests at once: each takes some 20 ms and no memory. */
const REQUESTS_IN_FLIGHT = 8;

export interface LockDependencies {
  readonly store: SignedStore;
  readonly retentionDays: number;
  readonly log: Log;
  readonly clock: () => Date;
}

/**
 * Extends the object lock of a database's newest archive when it is about to end. For runs that make no archive: no rule
 * expires the last good one, but once its lock has ended, every principal with the permission to delete versions could
 * remove it. A lock is never shortened, and objects without one stay without.
 *
 * Never throws: the run has a failure of its own to report.
 */
export async function extendNewestLock(dependencies: LockDependencies, database: DatabaseName): Promise<void> {
  const { store, log } = dependencies;
  try {
    const newest = await newestArchive(store, database);
    if (!newest) return;
    const { manifest, signature } = newest;
    const keys = objectsOf(manifest).map(({ key }) => key);
    if (signature !== 'missing') keys.push(signatureKey(database, manifest.slot, manifest.attempt));
    // The manifest last: its lock tells the next run that all of them were extended.
    await extendLocks(dependencies, keys, ownKey(manifest));
  } catch (error) {
    log.error('The lock of the newest archive could not be checked: check the permissions on the archive bucket', {
      database,
      error: messageOf(error),
    });
  }
}

/** The newest archive that a backup signed; where there is none, as before archives were signed, the newest of all. */
async function newestArchive(store: SignedStore, database: DatabaseName): Promise<StoredManifest | undefined> {
  let unsigned: StoredManifest | undefined;
  for (const slot of await listSlots(store, database)) {
    const stored = await lookUpManifest(store, database, slot);
    if (stored?.signature === 'valid') return stored;
    unsigned ??= stored;
  }
  return unsigned;
}

async function extendLocks(
  { store, retentionDays, log, clock }: LockDependencies,
  keys: readonly string[],
  manifest: string,
): Promise<void> {
  const { s3, bucket: Bucket } = store;
  const { ObjectLockRetainUntilDate: end } = await s3.send(new HeadObjectCommand({ Bucket, Key: manifest }));
  const atMs = clock().getTime();
  const retainUntil = new Date(atMs + retentionDays * DAY_MS);
  if (!end || end >= retainUntil || end.getTime() - atMs > EXTEND_WITHIN_DAYS * DAY_MS) return;
  const lock = async (Key: string): Promise<void> => {
    const Retention = { Mode: 'GOVERNANCE', RetainUntilDate: retainUntil } as const;
    await s3.send(new PutObjectRetentionCommand({ Bucket, Key, Retention }));
  };
  await runConcurrently(keys, Array(REQUESTS_IN_FLIGHT).keys(), lock);
  await lock(manifest);
  log.warn('The lock of the newest archive was about to end and was extended: there is no newer archive', {
    manifest,
    until: retainUntil.toISOString(),
  });
}
