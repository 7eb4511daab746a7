import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { applyMigrations, migrationStatus } from '../../core/migrations/runner';
import { InvalidRequestError } from '../../core/runtime/errors';
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
  const adopt = request.action === 'apply' ? request.adopt : undefined;
  if (adopt !== undefined && connector.target.managed !== 'elsewhere') {
    throw new InvalidRequestError(
      `adopt: the ${database} database is managed here, by migrations that would be applied among the tables of another tool; say \`managed: elsewhere\` in the file of the environment and deploy`,
    );
  }
  const dryRun = request.action === 'status' || request.dryRun;
  const status = await withConnection(connector, (client) =>
    dryRun
      ? migrationStatus(client, database, migrationsDirectory, adopt)
      : applyMigrations(client, database, migrationsDirectory, { adopt }),
  );
  return { dryRun, ...status };
}
