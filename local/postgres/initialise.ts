import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chownSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder, copyFolder, fromCache } from '../runtime/folder-cache';
import type { Account, PostgresBinaries } from './binaries';
import { writeFor } from './folder';

const run = promisify(execFile);

/**
 * PostgreSQL's own locale behaves the same on every machine, and starts faster than the operating system's. Before version 17,
 * it had none but C.
 */
function localeOf({ version }: PostgresBinaries): readonly string[] {
  const builtin = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  return ['--encoding=UTF8', '--locale=C', ...(Number.parseInt(version, 10) < 17 ? [] : builtin)];
}

/** A cluster whose files are to be made. */
export interface NewCluster {
  readonly binaries: PostgresBinaries;
  readonly account: Account | undefined;
  /** Folder that the server's account owns; its `data` is made. */
  readonly home: string;
}

/**
 * Creates the data folder as a copy of one that `initdb` made, which is kept with the password of its superuser: `initdb`
 * takes a second of the processor. As in RDS, the superuser is `postgres`.
 *
 * @returns the password that the superuser has, to be changed at once: it is that of every copy
 * @throws with what to do when the disk is full or the folder cannot be written, with the words of initdb otherwise
 */
export async function initialiseData(cluster: NewCluster): Promise<string> {
  const { binaries, account, home } = cluster;
  const { uid = process.getuid?.() ?? 0 } = account ?? {};
  const key = createHash('sha256')
    .update([binaries.version, String(uid), ...localeOf(binaries)].join(' '))
    .digest('hex');
  const copy = join(home, 'made');
  try {
    await fromCache({
      cache: cacheFolder('local-cluster'),
      key: key.slice(0, 24),
      target: copy,
      make: (folder) => makeData(cluster, folder),
    });
    renameSync(join(copy, 'data'), join(home, 'data'));
    return readFileSync(join(copy, PASSWORD_FILE), 'utf8');
  } catch (error) {
    throw new Error(initialisationProblem(home, error), { cause: error });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const PASSWORD_FILE = 'password';

/** Runs `initdb` in the home of the cluster, where its account may write, and moves what it made. */
async function makeData({ binaries, account, home }: NewCluster, folder: string): Promise<void> {
  const made = mkdtempSync(join(home, 'initdb-'));
  try {
    if (account !== undefined) chownSync(made, account.uid, account.gid);
    const passwordFile = join(made, PASSWORD_FILE);
    writeFor(account, passwordFile, randomBytes(18).toString('base64url'));
    const access = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
    await run(
      binaries.initdb,
      ['-D', join(made, 'data'), ...access, ...localeOf(binaries), '--no-sync', '--no-instructions'],
      {
        ...account,
        cwd: home,
        env: { PATH: process.env.PATH, LC_ALL: 'C' },
      },
    );
    await copyFolder(made, folder);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** What `initdb` takes, and the first minutes of writing after it. */
const NEEDED_MB = 100;

function initialisationProblem(home: string, error: unknown): string {
  const { code, stderr = '', message } = error as NodeJS.ErrnoException & { readonly stderr?: string };
  if (code === 'ENOSPC' || stderr.includes('No space left on device')) {
    return `The disk is full: a PostgreSQL cluster needs ${NEEDED_MB} MB in ${home}. Free some and start again.`;
  }
  if (code === 'EROFS' || code === 'EACCES' || /Read-only file system|Permission denied/.test(stderr)) {
    return `${home} cannot be written. Give this account write access to the folder, and start again.`;
  }
  return `PostgreSQL cannot create a cluster in ${home}: ${stderr.trim() || message}`;
}
