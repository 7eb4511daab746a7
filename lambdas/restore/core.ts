import type { Manifest } from '../../core/archive/manifest';
import { dropDatabase } from '../../core/restore/new-database';
import { chooseArchive, restoreArchive, type RestoreDependencies } from '../../core/restore/restore-archive';
import { isTooLarge, type RestoreWorkflow, startRestore } from '../../core/restore/workflow';
import type { RestoreReport, RestoreRequest } from './contract';

/** What a report says while a workflow restores. */
const NOTHING_YET = {
  outcome: 'started',
  foreignKeysValidated: 0,
  sequencesRestored: 0,
  invariantsChecked: 0,
  migratedForward: [],
  rolesCreated: [],
  deviations: [],
  schemaDifferences: [],
  rowsErased: 0,
} as const;

export interface RunRestoreDependencies extends RestoreDependencies {
  /** Restores what is too large for one call. @default one call restores everything */
  readonly workflow?: RestoreWorkflow | undefined;
}

/**
 * Restores an archive into a new database and proves it, and drops the database again when the request says so. A large
 * archive is left to a workflow.
 *
 * @throws InvalidRequestError and OperationError as {@link chooseArchive}, {@link restoreArchive} and {@link startRestore}
 * describe; `erasure_ledger_unreadable` (retryable)
 */
export async function runRestore(
  dependencies: RunRestoreDependencies,
  { afterwards, ...target }: Omit<RestoreRequest, 'database'>,
): Promise<RestoreReport> {
  const { workflow, erasures, clock } = dependencies;
  const startedAt = clock();
  const { targetDatabase } = target;
  const chosen = await chooseArchive(dependencies, target);
  const erased = await erasures.ledger.read();
  if (workflow && isTooLarge(chosen, workflow, erased)) {
    const execution = await startRestore(workflow, { afterwards, ...target }, chosen, startedAt);
    const durationMs = clock().getTime() - startedAt.getTime();
    return { ...NOTHING_YET, ...described(chosen), execution, targetDatabase, durationMs, kept: afterwards === 'keep' };
  }
  const { manifest, ...proof } = await restoreArchive(dependencies, chosen, targetDatabase, startedAt);
  const kept = afterwards === 'keep';
  if (!kept) await dropDatabase(dependencies.connector, targetDatabase);
  return { ...described(manifest), outcome: 'restored', targetDatabase, ...proof, kept };
}

function described({ database, slot, startedAt, tables, rows }: Manifest) {
  return { database, slot, archivedAt: startedAt, tables: tables.length, rows };
}
