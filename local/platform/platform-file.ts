import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify, isRunning } from '../runtime/processes';
import { PLATFORM_FILE, platformFile, type PlatformFile } from './contract';

/** State of the platform of a folder, by its file. */
export type PlatformState =
  | { readonly status: 'running'; readonly platform: PlatformFile }
  /** Its process ended without removing the file. */
  | { readonly status: 'stale'; readonly platform: PlatformFile }
  | { readonly status: 'stopped' };

/** Writes the file; the result removes it. */
export function writePlatformFile(
  directory: string,
  platform: Omit<PlatformFile, 'process' | 'startedAt'>,
): { remove(): void } {
  const ownProcess = identify(process.pid);
  if (ownProcess === undefined) throw new Error('Cannot read when this process started; is "ps" installed?');
  const content: PlatformFile = { ...platform, startedAt: new Date().toISOString(), process: ownProcess };
  const path = join(directory, PLATFORM_FILE);
  // Renamed into place, so that a reader never finds half of it.
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return { remove: () => rmSync(path, { force: true }) };
}

/** Reads where the platform of a folder listens, if it runs. @throws when the file is not the platform's */
export function readPlatformFile(directory: string): PlatformState {
  const path = join(directory, PLATFORM_FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { status: 'stopped' };
    throw error;
  }
  const platform = parse(path, text);
  return { status: isRunning(platform.process) ? 'running' : 'stale', platform };
}

function parse(path: string, text: string): PlatformFile {
  try {
    return platformFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${path} was not written by npm start. Delete it, and start the platform again.`, { cause });
  }
}
