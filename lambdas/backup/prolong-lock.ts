import { HeadObjectCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3';
import { distribute } from '../../core/archive/distribute';
import { manifestKey } from '../../core/archive/keys';
import { type ArchiveStore, listSlots, readManifest } from '../../core/archive/store';
import type { DatabaseName } from '../../core/contract';
import { messageOf } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Days before its end that a lock is prolonged. Fewer, and a week without runs may miss it; more, and it is done for nothing. */
const PROLONG_WITHIN_DAYS = 7;
/** Requests at once: each takes some 20 ms and no memory. */
const REQUESTS_IN_FLIGHT = 8;

export interface ProlongDependencies {
  readonly store: ArchiveStore;
  readonly retentionDays: number;
  readonly log: Log;
  readonly now: () => Date;
}

/**
 * Prolongs the lock of a database's newest archive when it is about to end. For runs that make no archive: no rule
 * expires the last good one, but once its lock has ended, anybody who may delete versions could remove it. A lock is
 * only ever lengthened. Objects without one are left as they are.
 *
 * Never throws: the run has a failure of its own to tell.
 */
export async function prolongNewest(dependencies: ProlongDependencies, database: DatabaseName): Promise<void> {
  const { store, log } = dependencies;
  try {
    for (const slot of await listSlots(store, database)) {
      const manifest = await readManifest(store, database, slot);
      if (!manifest) continue;
      // The manifest last: it is what tells the next run that all was done.
      const parts = manifest.tables.flatMap((table) => table.parts.map((part) => part.key));
      await prolong(dependencies, parts, manifestKey(database, slot));
      return;
    }
  } catch (error) {
    log.error('The lock of the newest archive could not be looked after: check the permissions on the bucket', {
      database,
      error: messageOf(error),
    });
  }
}

async function prolong({ store, retentionDays, log, now }: ProlongDependencies, parts: string[], manifest: string) {
  const { s3, bucket: Bucket } = store;
  const { ObjectLockRetainUntilDate: end } = await s3.send(new HeadObjectCommand({ Bucket, Key: manifest }));
  const moment = now().getTime();
  const wanted = new Date(moment + retentionDays * DAY_MS);
  if (!end || end >= wanted || end.getTime() - moment > PROLONG_WITHIN_DAYS * DAY_MS) return;
  const lock = async (Key: string): Promise<void> => {
    const Retention = { Mode: 'GOVERNANCE', RetainUntilDate: wanted } as const;
    await s3.send(new PutObjectRetentionCommand({ Bucket, Key, Retention }));
  };
  const lanes = Array.from({ length: REQUESTS_IN_FLIGHT }, (_, lane) => lane);
  await distribute(parts, lanes, lock);
  await lock(manifest);
  log.warn('The lock of the newest archive was about to end, and was prolonged: no newer one has been made since', {
    manifest,
    until: wanted.toISOString(),
  });
}
