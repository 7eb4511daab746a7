import type { Manifest } from '../../core/archive/manifest';
import { assertNewDatabase, dropDatabase } from '../../core/restore/new-database';
import { restoreArchive, type RestoreDependencies } from '../../core/restore/restore-archive';
import { findArchive } from '../../core/restore/select-archive';
import { isTooLarge, type RestoreWorkflow, startRestore } from '../../core/restore/workflow';
import type { RestoreReport, RestoreRequest } from './contract';

export interface RunRestoreDependencies extends RestoreDependencies {
  /** Restores what is too large for one call. @default one call restores everything */
  readonly workflow?: RestoreWorkflow | undefined;
}

/**
 * Restores an archive into a new database and proves it, and drops the database again when the request says so. A large
 * archive is left to a workflow.
 *
 * @throws InvalidRequestError and OperationError as {@link restoreArchive} and {@link startRestore} describe
 */
export async function runRestore(
  dependencies: RunRestoreDependencies,
  { afterwards, ...target }: Omit<RestoreRequest, 'database'>,
): Promise<RestoreReport> {
  const { workflow } = dependencies;
  if (workflow) {
    const started = await startIfTooLarge(dependencies, workflow, { afterwards, ...target });
    if (started) return started;
  }
  const { manifest, ...proof } = await restoreArchive(dependencies, target);
  const { targetDatabase } = target;
  const kept = afterwards === 'keep';
  if (!kept) await dropDatabase(dependencies.connector, targetDatabase);
  return { ...described(manifest), outcome: 'restored', targetDatabase, ...proof, kept };
}

async function startIfTooLarge(
  { connector, store, erasures, clock }: RunRestoreDependencies,
  workflow: RestoreWorkflow,
  request: Omit<RestoreRequest, 'database'>,
): Promise<RestoreReport | undefined> {
  const startedAt = clock();
  const { targetDatabase } = request;
  await assertNewDatabase(connector, targetDatabase);
  const manifest = await findArchive(store, connector.target.name, request);
  if (!isTooLarge(manifest, workflow, await erasures.ledger.read())) return undefined;
  const execution = await startRestore(workflow, request, manifest, startedAt);
  return {
    ...described(manifest),
    outcome: 'started',
    execution,
    targetDatabase,
    foreignKeysValidated: 0,
    sequencesRestored: 0,
    invariantsChecked: 0,
    migratedForward: [],
    rolesCreated: [],
    deviations: [],
    schemaDifferences: [],
    rowsErased: 0,
    durationMs: clock().getTime() - startedAt.getTime(),
    kept: request.afterwards === 'keep',
  };
}

function described({ database, slot, startedAt, tables, rows }: Manifest) {
  return { database, slot, archivedAt: startedAt, tables: tables.length, rows };
}
