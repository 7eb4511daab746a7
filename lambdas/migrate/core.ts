import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { applyMigrations, type MigrationStatus, migrationStatus } from '../../core/migrations/runner';
import type { Log } from '../../core/runtime/telemetry';
import type { MigrateRequest } from './contract';

export interface MigrateDependencies {
  readonly connector: DatabaseConnector;
  /** Folder with the migrations of the connector's database. */
  readonly migrationsDirectory: string;
  readonly log: Log;
}

/**
 * Reports or applies the migrations of one database.
 *
 * @throws OperationError as {@link applyMigrations} describes, or `database_unavailable`
 */
export async function migrate(
  { connector, migrationsDirectory, log }: MigrateDependencies,
  action: MigrateRequest['action'],
): Promise<MigrationStatus> {
  const database = connector.target.name;
  const run = action === 'apply' ? applyMigrations : migrationStatus;
  const status = await withConnection(connector, (client) => run(client, database, migrationsDirectory));
  log.info(action === 'apply' ? 'Migrations applied' : 'Migrations listed', { ...status });
  return status;
}
