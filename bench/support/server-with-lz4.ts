import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackedServer } from '../backup/postgres-tools';
import { cacheFolder } from './cache';

/**
 * Folder of a server that is built with LZ4, as that of RDS is and that of npm is not, in the layout of npm's package.
 *
 * @throws where it cannot be had, or does not run here
 */
export function serverWithLz4(): string {
  const programs = unpackedServer();
  const { status, stdout, stderr } = spawnSync(join(programs, 'bin/postgres'), ['--version'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${programs}/bin/postgres does not run: ${stderr}`);
  const folder = cacheFolder('server-with-lz4');
  if (!existsSync(join(folder, 'package.json'))) {
    mkdirSync(folder, { recursive: true });
    if (!existsSync(join(folder, 'native'))) symlinkSync(programs, join(folder, 'native'));
    const [version = ''] = /[\d.]+/.exec(stdout) ?? [];
    // The last, so that a folder which has it is complete.
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ version: `${version}-lz4` }));
  }
  return folder;
}
