import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Account, PostgresBinaries } from './binaries';
import { writeFor } from './folder';

const run = promisify(execFile);

/**
 * Creates the data folder, by `initdb`. As in RDS, the superuser is `postgres`.
 *
 * @throws with what to do when the disk is full or the folder cannot be written, with the words of initdb otherwise
 */
export async function initialiseData(
  binaries: PostgresBinaries,
  account: Account | undefined,
  home: string,
  password: string,
): Promise<void> {
  const passwordFile = join(home, 'password');
  // PostgreSQL's own locale behaves the same on every machine, and starts faster than the operating system's.
  const settings = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const access = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  try {
    writeFor(account, passwordFile, password);
    await run(binaries.initdb, ['-D', join(home, 'data'), ...access, ...settings, '--no-sync', '--no-instructions'], {
      ...account,
      cwd: home,
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
    });
  } catch (error) {
    throw new Error(initialisationProblem(home, error), { cause: error });
  } finally {
    rmSync(passwordFile, { force: true });
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
