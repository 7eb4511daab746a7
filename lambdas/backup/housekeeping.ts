import * as z from 'zod';
import type { DatabaseName } from '../../core/contract';
import { type StoredObject, type StoredSlot, takeInventory } from '../../core/archive/inventory';
import { databasePrefix, isPartList } from '../../core/archive/keys';
import { abortUploads, removeObjects } from '../../core/archive/removal';
import { lookUpManifest, type SignedStore } from '../../core/archive/signed-manifest';
import { readText } from '../../core/archive/store';
import { messageOf, OperationError } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import type { ArchiveReport } from './contract';

const PART_LIST = z.array(z.string());
const DAY_MS = 24 * 60 * 60 * 1000;
/**
 * Age from which the objects of an unfinished attempt are leftovers. A run lasts 15 minutes at most; less than that would
 * remove the objects of a run under way, more would only keep leftovers for longer.
 */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;
/** Clocks of a function, of S3 and of a database server differ by less. */
const CLOCK_SKEW_MS = 60 * 60 * 1000;
/**
 * Keys of a killed attempt whose uploads are looked for one by one. Parts are begun in the order of the list, a few at a
 * time, so that those cut off are the first ones without an object.
 */
const UPLOADS_LOOKED_FOR = 16;
/** Archives that stay whatever their age: if backups stopped long ago, the last good one is all there is. */
const NEWEST_KEPT = 1;

export interface HousekeepingDependencies {
  readonly store: SignedStore;
  readonly retentionDays: number;
  readonly log: Log;
  /** The clock of the function. */
  readonly clock: () => Date;
  /** The time by the clocks of others. Nothing is removed by one clock alone. */
  readonly otherClocks: () => Promise<readonly Date[]>;
}

export type HousekeepingReport = Pick<ArchiveReport, 'expiredArchives' | 'sweptLeftovers' | 'housekeepingFailed'>;

/**
 * Removes leftovers of unfinished attempts, and archives past their retention. For the end of a successful backup, while
 * its lock on the database is held. A bucket lifecycle could do neither: it goes by age alone, so that after 90 days
 * without a backup it would remove the last archive there is.
 *
 * Never throws: a failure is logged and reported, because the archive is good, and the next run tries again.
 */
export async function runHousekeeping(
  dependencies: HousekeepingDependencies,
  database: DatabaseName,
): Promise<HousekeepingReport> {
  try {
    return { ...(await removeOldObjects(dependencies, database)), housekeepingFailed: false };
  } catch (error) {
    const clocks = error instanceof OperationError && error.code === 'clocks_differ';
    dependencies.log.error(
      clocks
        ? 'Old objects were not removed, because the clocks differ'
        : "Old objects could not be removed: check the function's permissions on the archive bucket",
      { database, error: messageOf(error) },
    );
    return { expiredArchives: 0, sweptLeftovers: 0, housekeepingFailed: true };
  }
}

async function removeOldObjects(
  dependencies: HousekeepingDependencies,
  database: DatabaseName,
): Promise<Omit<HousekeepingReport, 'housekeepingFailed'>> {
  const now = await agreedTime(dependencies);
  const stored = await takeInventory(dependencies.store, database);
  const expired = await expireArchives(dependencies, stored, now);
  const expiredArchives = expired.size;
  const sweptLeftovers = await sweepLeftovers(
    dependencies,
    database,
    stored.filter((slot) => !expired.has(slot)),
    now,
  );
  if (sweptLeftovers + expiredArchives > 0) {
    dependencies.log.info('Old objects removed', { database, sweptLeftovers, expiredArchives });
  }
  return { sweptLeftovers, expiredArchives };
}

/**
 * The earliest of several clocks. One that is ahead would expire archives that are kept, so that none is believed when they
 * differ.
 *
 * @throws OperationError `clocks_differ` with the time of each
 */
async function agreedTime({ clock, otherClocks }: HousekeepingDependencies): Promise<Date> {
  const times = [...(await otherClocks()), clock()].toSorted((one, other) => one.getTime() - other.getTime());
  const [earliest, latest] = [times[0] ?? clock(), times.at(-1) ?? clock()];
  if (latest.getTime() - earliest.getTime() <= CLOCK_SKEW_MS) return earliest;
  throw new OperationError(
    'clocks_differ',
    `The clocks of function, S3 and database server differ: ${times.map((time) => time.toISOString()).join(', ')}. Nothing was removed: set the wrong one`,
  );
}

/** Removes archives past their retention, but never the newest one. */
async function expireArchives(
  { store, retentionDays }: HousekeepingDependencies,
  stored: readonly StoredSlot[],
  now: Date,
): Promise<Set<StoredSlot>> {
  const expiredBefore = now.getTime() - retentionDays * DAY_MS;
  const expired = stored
    .filter(({ manifest }) => manifest !== undefined)
    .slice(NEWEST_KEPT)
    // An archive made later than its slot is locked from then on.
    .filter(({ slot, manifest }) => Math.max(Date.parse(slot), Number(manifest?.lastModified)) < expiredBefore);
  for (const { manifest, attempts } of expired) {
    // The manifest first, as it is written last: an interruption leaves no archive with parts missing.
    if (manifest) await removeObjects(store, [manifest.key]);
    await removeObjects(store, keysOf([...attempts.values()].flat()));
  }
  return new Set(expired);
}

/** Removes the objects of attempts that no manifest names, once their run must have ended. */
async function sweepLeftovers(
  { store }: HousekeepingDependencies,
  database: DatabaseName,
  stored: readonly StoredSlot[],
  now: Date,
): Promise<number> {
  const abandonedBefore = new Date(now.getTime() - ABANDONED_AFTER_MS);
  const leftovers: string[] = [];
  let aborted = await abortUploads(store, databasePrefix(database), abandonedBefore);
  for (const { slot, manifest, attempts } of stored) {
    // A single attempt beside a manifest is the one that it names. Reading every manifest would take a request each.
    if (manifest && attempts.size <= 1) continue;
    const found = manifest && (await lookUpManifest(store, database, slot));
    // What another program wrote does not decide which attempt is a leftover.
    if (found && found.signature !== 'valid') continue;
    for (const [attempt, objects] of attempts) {
      if (attempt === found?.manifest.attempt || objects.some((object) => object.lastModified >= abandonedBefore))
        continue;
      aborted += await abortByKey(store, objects, abandonedBefore);
      leftovers.push(...keysOf(objects));
    }
  }
  await removeObjects(store, leftovers);
  return leftovers.length + aborted;
}

/** Aborts what a killed attempt was uploading, for servers that list an upload only under its exact key, as MinIO does. */
async function abortByKey(
  store: SignedStore,
  objects: readonly StoredObject[],
  abandonedBefore: Date,
): Promise<number> {
  const list = objects.find(({ key }) => isPartList(key));
  const text = list && (await readText(store, list.key));
  if (text === undefined) return 0;
  const written = new Set(keysOf(objects));
  const cutOff = PART_LIST.parse(JSON.parse(text)).filter((key) => !written.has(key));
  let aborted = 0;
  for (const key of cutOff.slice(0, UPLOADS_LOOKED_FOR)) aborted += await abortUploads(store, key, abandonedBefore);
  return aborted;
}

function keysOf(objects: readonly StoredObject[]): string[] {
  return objects.map(({ key }) => key);
}
