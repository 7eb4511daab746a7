import { randomUUID } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { accountCan, type Account } from './binaries';
import { commandLine, isRunning, signal, waitForEnd, type ProcessIdentity } from '../runtime/processes';

/** Record in the folder by which a later run recognises the server of one that crashed. */
export interface ClusterRecord {
  readonly owner: ProcessIdentity;
  /** Folder that the server's account owns: `data` and the certificate. */
  readonly home: string;
  readonly server?: ProcessIdentity;
}

const RECORD = 'cluster.json';
const DETACHED_HOME_PREFIX = 'billing-operations-cluster-';
const STOP_TIMEOUT_MS = 10_000;

function readRecord(directory: string): ClusterRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, RECORD), 'utf8')) as ClusterRecord;
  } catch {
    return undefined;
  }
}

/** Records the owner of the cluster, before anything is created that a later run may have to remove. */
export function writeRecord(directory: string, record: ClusterRecord): void {
  writeFileSync(join(directory, RECORD), `${JSON.stringify(record)}\n`, { mode: 0o600 });
}

/** Whether a process is a PostgreSQL server on exactly this data directory. */
function servesData(pid: number, dataDirectory: string): boolean {
  const [program, ...rest] = commandLine(pid) ?? [];
  if (program === undefined) return false;
  if (rest.length === 0) return program.includes(`postgres -D ${dataDirectory} `);
  return basename(program) === 'postgres' && rest[0] === '-D' && rest[1] === dataDirectory;
}

/** Stops a server: first disconnecting its clients, then without waiting for them. */
export async function stopServer(server: ProcessIdentity): Promise<void> {
  for (const name of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (!isRunning(server)) return;
    signal(server.pid, name);
    if (await waitForEnd(server, STOP_TIMEOUT_MS)) return;
  }
  throw new Error(`PostgreSQL (process ${server.pid}) does not end.`);
}

/**
 * Stops the server that a crashed run left behind in this folder. Nothing is touched unless the recorded process is
 * still the same one, and is PostgreSQL on this folder's data.
 *
 * @returns the process that was stopped, or undefined when there was none
 * @throws when the run that started the server is still alive
 */
export async function recoverOrphan(directory: string): Promise<number | undefined> {
  const record = readRecord(resolve(directory));
  if (record?.server === undefined || !isRunning(record.server)) return undefined;
  if (!servesData(record.server.pid, join(record.home, 'data'))) return undefined;
  if (isRunning(record.owner)) {
    throw new Error(`${directory} is in use: process ${record.owner.pid} runs a PostgreSQL server in it.`);
  }
  await stopServer(record.server);
  return record.server.pid;
}

/** Removes a server's folder if it lies outside the cluster's, where nothing else removes it. */
export function removeDetached(home: string): void {
  if (basename(home).startsWith(DETACHED_HOME_PREFIX)) rmSync(home, { recursive: true, force: true });
}

/** What is being removed stands beside the folder under this name, with a number. */
const DISCARDED = '.discarded-';

/**
 * Empties the folder of a former cluster. Refuses one with any other content: the caller may have named the wrong folder.
 *
 * @returns once the folder is free, what settles when the former files are removed, which takes a second on a busy disk
 */
export function discardFormer(directory: string): Promise<void> {
  const siblings = existsSync(dirname(directory)) ? readdirSync(dirname(directory)) : [];
  const prefix = `${basename(directory)}${DISCARDED}`;
  const discarded = siblings.filter((name) => name.startsWith(prefix)).map((name) => join(dirname(directory), name));
  if (existsSync(directory)) {
    const record = readRecord(directory);
    if (record === undefined && readdirSync(directory).length > 0) {
      throw new Error(`${directory} is not empty and holds no cluster of a former run: not touched.`);
    }
    if (record !== undefined) removeDetached(record.home);
    const aside = join(dirname(directory), `${prefix}${randomUUID()}`);
    renameSync(directory, aside);
    discarded.push(aside);
  }
  return Promise.all(discarded.map((folder) => rm(folder, { recursive: true, force: true }))).then(() => undefined);
}

/** Makes the folder that the server's account owns: inside `directory` unless that is out of the account's reach. */
export function createHome(directory: string, account: Account | undefined): string {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const reachable = accountCan(account, '-x', directory);
  const home = reachable ? join(directory, 'server') : mkdtempSync(join(tmpdir(), DETACHED_HOME_PREFIX));
  mkdirSync(home, { recursive: true, mode: 0o700 });
  if (account !== undefined) chownSync(home, account.uid, account.gid);
  return home;
}

/** Writes a file that only the server's account may read. */
export function writeFor(account: Account | undefined, path: string, content: string): void {
  writeFileSync(path, content, { mode: 0o600 });
  if (account !== undefined) chownSync(path, account.uid, account.gid);
}
