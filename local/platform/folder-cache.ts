import {
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';

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

/**
 * Puts the content of a key into `target`: a copy, which no later start removes or changes.
 *
 * @returns whether the cache had it
 * @throws what `make` throws; the cache then has nothing of it
 */
export async function fromCache({ cache, key, target, make }: CachedFolder): Promise<boolean> {
  const entry = join(cache, key);
  const known = existsSync(entry);
  if (!known) {
    const unfinished = `${entry}.${process.pid}`;
    mkdirSync(cache, { recursive: true });
    try {
      await make(unfinished);
      // Under its name only when it is complete. Another start may have been as fast.
      if (!existsSync(entry)) renameSync(unfinished, entry);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  cpSync(entry, target, { recursive: true, mode: constants.COPYFILE_FICLONE });
  utimesSync(entry, new Date(), new Date());
  prune(cache);
  return known;
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
