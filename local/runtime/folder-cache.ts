import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CHECKOUT } from './checkout';

export interface CachedFolder {
  /** Folder of the cache. */
  readonly cache: string;
  /** Hash of everything that the content depends on. */
  readonly key: string;
  /** Folder that gets the content; must not exist. */
  readonly target: string;
  /** Makes the content in a folder. Called only when the cache does not have it. */
  readonly make: (folder: string) => Promise<void>;
}

/** Entries that are kept: that of this start, and those of other branches. */
const KEPT = 3;
/** Age from which an unfinished entry is taken for that of a process that was killed. */
const ABANDONED_MS = 3_600_000;

/** Folder of a cache of this checkout, which `npm ci` empties. */
export function cacheFolder(name: string): string {
  return join(CHECKOUT, 'node_modules/.cache', name);
}

/**
 * Puts the content of a key into `target`: a copy with its owners and modes, which no later start removes or changes. Where
 * the cache cannot be written, the content is made each time.
 *
 * @returns whether the cache had it
 * @throws what `make` throws; the cache then has nothing of it
 */
export async function fromCache({ cache, key, target, make }: CachedFolder): Promise<boolean> {
  const entry = join(cache, key);
  const known = existsSync(entry);
  if (!known) {
    if (!isWritable(cache)) {
      await make(target);
      return false;
    }
    await add(entry, make);
  }
  await copyFolder(entry, target);
  if (known) utimesSync(entry, new Date(), new Date());
  prune(cache);
  return known;
}

async function add(entry: string, make: CachedFolder['make']): Promise<void> {
  const unfinished = `${entry}.${randomUUID()}`;
  try {
    await make(unfinished);
    // Under its name only when it is complete.
    renameSync(unfinished, entry);
  } catch (error) {
    // Another start may have been as fast: then the entry is there.
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function isWritable(cache: string): boolean {
  try {
    mkdirSync(cache, { recursive: true });
    accessSync(cache, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Copies a folder to one that does not exist, with the owners and modes of its files. */
export async function copyFolder(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-Rp', from, to]);
}

function prune(cache: string): void {
  const entries = readdirSync(cache)
    .map((name) => ({ name, usedAt: statSync(join(cache, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .toSorted((a, b) => b.usedAt - a.usedAt);
  const finished = entries.filter(({ name }) => !name.includes('.'));
  const abandoned = entries.filter(({ name, usedAt }) => name.includes('.') && Date.now() - usedAt > ABANDONED_MS);
  for (const { name } of [...finished.slice(KEPT), ...abandoned]) {
    rmSync(join(cache, name), { recursive: true, force: true });
  }
}
