import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { applyMigrations, migrationStatus } from '../../core/migrations/runner';
import type { CheckedMigrateRequest, MigrateReport } from './contract';

export interface MigrateDependencies {
  readonly connector: DatabaseConnector;
  /** Folder with the migrations of the connector's database. */
  readonly migrationsDirectory: string;
}

/**
 * Lists the migrations of one database, or applies those that are pending.
 *
 * @throws OperationError as {@link applyMigrations} describes, or `database_unavailable`
 */
export async function migrate(
  { connector, migrationsDirectory }: MigrateDependencies,
  request: CheckedMigrateRequest,
): Promise<MigrateReport> {
  const database = connector.target.name;
  const dryRun = request.action === 'status' || request.dryRun;
  const run = dryRun ? migrationStatus : applyMigrations;
  const status = await withConnection(connector, (client) => run(client, database, migrationsDirectory));
  return { dryRun, ...status };
}
