import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Hash of files, by path and content. Times do not count: a checkout of another branch and back gives the same hash.
 *
 * @param paths files and folders, relative to `root`; one that is not there counts as such
 * @param further what else the hash depends on, such as a version
 */
export function contentHash(root: string, paths: readonly string[], further: readonly string[] = []): string {
  const hash = createHash('sha256');
  // Each part with its length, so that no two lists of parts read the same.
  const add = (part: string | Buffer): void => void hash.update(`${part.length}:`).update(part);
  for (const text of further) add(text);
  for (const path of paths.flatMap((each) => filesOf(root, each)).toSorted()) {
    add(path);
    add(readFileSync(join(root, path)));
  }
  return hash.digest('hex').slice(0, 24);
}

function filesOf(root: string, path: string): string[] {
  const status = statSync(join(root, path), { throwIfNoEntry: false });
  if (status === undefined) return [];
  if (status.isFile()) return [path];
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, '/').length));
}
