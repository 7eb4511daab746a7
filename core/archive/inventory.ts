import type { _Object } from '@aws-sdk/client-s3';
import type { DatabaseName } from '../contract';
import { databasePrefix } from './keys';
import { keyToSlot, type Slot } from './slot';
import { type ArchiveStore, listObjects } from './store';

/** An object of an archive, or of an attempt at one. */
export interface StoredObject {
  readonly key: string;
  readonly lastModified: Date;
}

/** Everything that is stored under one slot of a database. */
export interface StoredSlot {
  readonly slot: Slot;
  /** Absent when no attempt has been completed: there is no archive then. */
  readonly manifest: StoredObject | undefined;
  /** The data of each attempt. */
  readonly attempts: ReadonlyMap<string, readonly StoredObject[]>;
}

/**
 * Lists what is stored of a database, newest slot first. Objects that do not follow the layout are left out: this
 * platform did not write them.
 *
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function takeInventory(store: ArchiveStore, database: DatabaseName): Promise<StoredSlot[]> {
  const prefix = databasePrefix(database);
  const slots = new Map<Slot, { manifest?: StoredObject; attempts: Map<string, StoredObject[]> }>();
  for await (const object of listObjects(store, prefix)) {
    const stored = describe(object);
    const [folder = '', attempt = '', ...rest] = stored.key.slice(prefix.length).split('/');
    const slot = keyToSlot(folder);
    if (slot === undefined) continue;
    const entry = slots.get(slot) ?? { attempts: new Map<string, StoredObject[]>() };
    slots.set(slot, entry);
    if (rest.length > 0) {
      const objects = entry.attempts.get(attempt);
      if (objects) objects.push(stored);
      else entry.attempts.set(attempt, [stored]);
    } else if (attempt === 'manifest.json') entry.manifest = stored;
  }
  return [...slots]
    .map(([slot, { manifest, attempts }]) => ({ slot, manifest, attempts }))
    .toSorted((one, other) => (one.slot < other.slot ? 1 : -1));
}

function describe(object: _Object): StoredObject {
  // S3 always returns both; a time in the far future keeps an object whose age is unknown.
  return { key: object.Key ?? '', lastModified: object.LastModified ?? new Date(8.64e15) };
}
