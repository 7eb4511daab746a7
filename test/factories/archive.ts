import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DatabaseName } from '../../lambdas/shared/contract';
import type { Log } from '../../lambdas/shared/telemetry';

/** Where the repository keeps the migrations of a database. */
export function migrationsOf(database: DatabaseName): string {
  return path.join(__dirname, '../../migrations', database);
}

/** A copy of a database's migrations that a test may add to, edit and remove. */
export interface MigrationsCopy {
  readonly directory: string;
  add(fileName: string, up: string): Promise<void>;
  remove(): Promise<void>;
}

export async function copyMigrations(database: DatabaseName): Promise<MigrationsCopy> {
  const directory = await mkdtemp(path.join(tmpdir(), 'migrations-'));
  await cp(migrationsOf(database), directory, { recursive: true });
  return {
    directory,
    add: (fileName, up) => writeFile(path.join(directory, fileName), `-- Up Migration\n${up}\n-- Down Migration\n`),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

export const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
