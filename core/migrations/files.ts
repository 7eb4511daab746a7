import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { ADOPTED_MIGRATIONS } from '../contract';
import type { DatabaseTarget } from '../database/connector';
import { OperationError, messageOf } from '../runtime/errors';

/** `0007_create_refunds.sql`: the number orders the files, the rest describes the change. */
const FILE_NAME = /^(\d{4})_[a-z0-9]+(?:_[a-z0-9]+)*\.sql$/;

/** Identifies a migration by its name without `.sql`, and the SHA-256 (hex) of its file. */
export interface MigrationRecord {
  readonly name: string;
  readonly sha256: string;
}

/** A migration of this code. */
export interface MigrationFile extends MigrationRecord {
  readonly text: string;
}

/** Folder of the migrations of a database, among the files of a function. */
export function migrationsFolder(
  functionFolder: string,
  { name, managed }: Pick<DatabaseTarget, 'name' | 'managed'>,
): string {
  return path.join(functionFolder, 'migrations', managed === 'elsewhere' ? ADOPTED_MIGRATIONS : name);
}

/**
 * Reads the migrations of one database, in order.
 *
 * @throws OperationError `migration_files_unreadable`, `migration_name_malformed`, `migration_duplicate` or
 * `migration_gap`, naming the file
 */
export async function readMigrationFiles(directory: string): Promise<MigrationFile[]> {
  const fileNames = await readdir(directory).catch((cause: unknown) => {
    throw new OperationError(
      'migration_files_unreadable',
      `Migrations cannot be read from ${directory}: ${messageOf(cause)}. Deploy the stack Operations again, which brings them`,
      { cause },
    );
  });
  const ordered = fileNames.toSorted();
  assertNumbering(ordered);
  return Promise.all(
    ordered.map(async (fileName) => {
      const bytes = await readFile(path.join(directory, fileName));
      return {
        name: path.basename(fileName, '.sql'),
        sha256: createHash('sha256').update(bytes).digest('hex'),
        text: bytes.toString('utf8'),
      };
    }),
  );
}

/** Numbers must be 1, 2, 3 … so that two people who add a migration at the same time notice before a deployment. */
function assertNumbering(fileNames: readonly string[]): void {
  fileNames.forEach((fileName, index) => {
    const digits = FILE_NAME.exec(fileName)?.[1];
    if (digits === undefined) {
      throw new OperationError(
        'migration_name_malformed',
        `Migration file ${fileName} is not named NNNN_verb_object.sql: rename or remove it`,
      );
    }
    const number = Number(digits);
    if (number === index + 1) return;
    if (number <= index) {
      throw new OperationError(
        'migration_duplicate',
        `Migration files ${fileNames[index - 1]} and ${fileName} have the same number: renumber the one that was not applied anywhere`,
      );
    }
    throw new OperationError(
      'migration_gap',
      `Migration ${String(index + 1).padStart(4, '0')} is missing before ${fileName}: restore its file, or renumber the files after it if they were never applied`,
    );
  });
}
