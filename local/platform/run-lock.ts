import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { identify, isRunning, type ProcessIdentity } from '../runtime/processes';

/** Proof that this process is the only run in its folder. */
export interface RunLock {
  /** The run that crashed without giving the lock back, if there was one. */
  readonly recoveredFrom: ProcessIdentity | undefined;
  release(): void;
}

function holderOf(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity;
  } catch {
    // A crash in the middle of writing leaves an unreadable file.
    return undefined;
  }
}

/** Creates the file; false when it exists. */
function create(path: string, identity: ProcessIdentity): boolean {
  try {
    writeFileSync(path, JSON.stringify(identity), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Takes the lock. One that a crashed run left is taken over: the number of its process may be in use again, so its
 * start time is compared too.
 *
 * @throws when another run is alive
 */
export function takeRunLock(path: string): RunLock {
  const identity = identify(process.pid);
  if (identity === undefined) throw new Error('Cannot read when this process started; is "ps" installed?');
  let recoveredFrom: ProcessIdentity | undefined;
  while (!create(path, identity)) {
    const holder = holderOf(path);
    if (holder !== undefined && isRunning(holder)) {
      throw new Error(`Another run is up in this checkout (process ${holder.pid}). Stop it first: kill ${holder.pid}`);
    }
    recoveredFrom = holder;
    rmSync(path, { force: true });
  }
  return { recoveredFrom, release: () => rmSync(path, { force: true }) };
}
