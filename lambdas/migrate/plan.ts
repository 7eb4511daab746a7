import type { ClientBase } from 'pg';
import type { DatabaseConnector } from '../../core/database/connector';
import { readMigrationFiles } from '../../core/migrations/files';
import { partsOf } from '../../core/migrations/parts';
import { type MigrationStatus, migrationStatus } from '../../core/migrations/runner';
import { withMigrated } from '../../core/restore/expected-structure';
import { messageOf, OperationError } from '../../core/runtime/errors';
import { readSizes } from './catalog';
import type { ExaminedMigration, PlanReport } from './contract';
import { examine } from './examine';

export interface PlanDependencies {
  readonly connector: DatabaseConnector;
  /** Folder with the migrations of the connector's database. */
  readonly migrationsDirectory: string;
  readonly clock: () => Date;
}

/**
 * What the pending migrations would lock, take and lose. The database itself is only read.
 *
 * @throws OperationError `migration_malformed`, or what {@link migrationStatus} refuses
 */
export async function planMigrations(
  client: ClientBase,
  dependencies: PlanDependencies,
  adopt: string | undefined,
): Promise<PlanReport> {
  const { connector, migrationsDirectory } = dependencies;
  const database = connector.target.name;
  const status = await migrationStatus(client, database, migrationsDirectory, adopt);
  const files = (await readMigrationFiles(migrationsDirectory)).slice(status.applied.length);
  const pending = files.map((file) => ({ name: file.name, part: partsOf(file).up }));
  const { examined, notExamined } = await examineParts(client, dependencies, status.current, pending);
  return { ...status, plan: examined, notExamined };
}

/** The last applied migration with what its down part would lock, take and lose; `null` where it has no down part. */
export async function planRollback(
  client: ClientBase,
  dependencies: PlanDependencies,
  { applied, current }: MigrationStatus,
): Promise<{ readonly down: ExaminedMigration | null; readonly notExamined: string | null }> {
  const files = await readMigrationFiles(dependencies.migrationsDirectory);
  const file = files[applied.length - 1];
  const down = file && partsOf(file).down;
  if (down === undefined) return { down: null, notExamined: null };
  const parts = [{ name: file?.name ?? '', part: down }];
  const { examined, notExamined } = await examineParts(client, dependencies, current, parts);
  return { down: examined[0] ?? null, notExamined };
}

type NamedPart = Readonly<{ name: string; part: ReturnType<typeof partsOf>['up'] }>;

async function examineParts(
  client: ClientBase,
  { connector, migrationsDirectory, clock }: PlanDependencies,
  version: string | null,
  parts: readonly NamedPart[],
): Promise<{ readonly examined: ExaminedMigration[]; readonly notExamined: string | null }> {
  if (parts.length === 0) return { examined: [], notExamined: null };
  const sizes = await readSizes(client);
  const beside = {
    connector,
    database: connector.target.name,
    migrationsDirectory,
    version,
    startedAt: clock(),
  };
  try {
    const examined = await withMigrated(client, beside, async (scratch) => {
      const results: ExaminedMigration[] = [];
      for (const { name, part } of parts) {
        const result = await examine(scratch, name, part, sizes);
        results.push(result);
        // What follows may build on it.
        if (result.fails !== null) break;
      }
      return results;
    });
    return { examined: [...examined, ...parts.slice(examined.length).map(unexamined)], notExamined: null };
  } catch (error) {
    if (error instanceof OperationError && error.code === 'migration_failed') throw error;
    return { examined: parts.map(unexamined), notExamined: messageOf(error) };
  }
}

/** A migration of which only the text is known. */
function unexamined({ name, part }: NamedPart): ExaminedMigration {
  const statements = part.statements.map((sql) => ({ sql, locks: [], seconds: 0, loses: [] }));
  return { name, inTransaction: part.inTransaction, statements, blocked: [], fails: null };
}
