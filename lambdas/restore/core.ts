import { dropDatabase } from '../../core/restore/new-database';
import { restoreArchive, type RestoreDependencies } from '../../core/restore/restore-archive';
import type { RestoreReport, RestoreRequest } from './contract';

/**
 * Restores an archive into a new database and proves it, and drops the database again when the request says so.
 *
 * @throws InvalidRequestError and OperationError as {@link restoreArchive} describes
 */
export async function runRestore(
  dependencies: RestoreDependencies,
  { afterwards, ...target }: Omit<RestoreRequest, 'database'>,
): Promise<RestoreReport> {
  const { manifest, ...proof } = await restoreArchive(dependencies, target);
  const { targetDatabase } = target;
  const kept = afterwards === 'keep';
  if (!kept) await dropDatabase(dependencies.connector, targetDatabase);
  return {
    database: manifest.database,
    slot: manifest.slot,
    archivedAt: manifest.startedAt,
    targetDatabase,
    tables: manifest.tables.length,
    rows: manifest.rows,
    ...proof,
    kept,
  };
}
