import { accessSync, constants, existsSync, mkdirSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** Megabytes that a start writes: two clusters with their logs, fourteen bundles, the cloud assembly. */
const NEEDED_MB = 400;

/**
 * Creates the folder of a run, before anything is started that would fail on it in its own words.
 *
 * @param freeMb space left on the disk of a folder, in megabytes. @default - what the operating system reports
 * @throws when it cannot be written, or when there is not enough space for a start; says what to do
 */
export function createRunFolder(directory: string, freeMb: (directory: string) => number = freeMegabytes): void {
  try {
    // Before `mkdir`, which calls a read-only file system "no such file or directory".
    accessSync(nearestFolder(directory), constants.W_OK);
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'EROFS' ? 'its file system is read-only' : message;
    throw new Error(
      `${directory} cannot be written: ${reason}. Give this account write access, or move the checkout.`,
      {
        cause: error,
      },
    );
  }
  const free = freeMb(directory);
  if (free < NEEDED_MB) {
    throw new Error(
      `${directory} needs ${NEEDED_MB} MB, and its disk has ${Math.floor(free)} MB left. Free some space.`,
    );
  }
}

function nearestFolder(directory: string): string {
  return existsSync(directory) ? directory : nearestFolder(dirname(directory));
}

function freeMegabytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return (bavail * bsize) / 2 ** 20;
}
