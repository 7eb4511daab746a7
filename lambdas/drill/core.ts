import type { Manifest } from '../../core/archive/manifest';
import { dropDatabase } from '../../core/restore/new-database';
import { restoreScratch } from '../../core/restore/restore-archive';
import { scratchName } from '../../core/restore/scratch-names';
import { sweepScratch } from '../../core/restore/scratch-sweep';
import { findArchive } from '../../core/restore/select-archive';
import { assertNoDrillRunning, sweepRestoring } from '../../core/restore/steps/leftovers';
import { isIdle, isTooLarge, type RestoreWorkflow, startRestore } from '../../core/restore/workflow';
import { messageOf } from '../../core/runtime/errors';
import type { DrillRecord, DrillReport } from './contract';
import {
  type DrillDependencies,
  type FinishedDrill,
  measure,
  type Measured,
  reasonOf,
  save,
  sizesOf,
  UNREACHED,
} from './findings';

export interface RunDrillDependencies extends DrillDependencies {
  /** Restores what is too large for one call. */
  readonly workflow: RestoreWorkflow;
}

/** A drill that a workflow was started for; nothing is proven or recorded yet. */
export type StartedDrill = DrillReport & { readonly outcome: 'started' };

/**
 * Proves that the newest archive can be restored, and how fast: restores it into a scratch database, verifies it,
 * compares the time with the target, and drops it. What is too large for one call is left to the workflow that restores large
 * archives. Every drill is recorded, even one that fails; the next drill drops the database of one that was killed, and records
 * it as interrupted.
 *
 * @returns the record; its outcome is `slow` when the restore is sound but the target would be missed, `started` when the
 * workflow makes the drill and records it
 * @throws OperationError as {@link restoreScratch} does, and, retryable, `workflow_unavailable`, once the
 * failure is recorded; nothing is left behind. `drill_running`, which is no failed drill, is not recorded
 */
export async function runDrill(dependencies: RunDrillDependencies): Promise<FinishedDrill | StartedDrill> {
  const { connector, workflow, targetMs, log, clock } = dependencies;
  const database = connector.target.name;
  const startedAt = clock();
  const record = <Found extends object>(findings: Found, error: string | null = null, at = startedAt) => ({
    database,
    startedAt: at.toISOString(),
    targetMs,
    error,
    ...findings,
  });
  const swept = [
    ...(await sweepScratch(connector, 'drill', startedAt)),
    ...(await sweepRestoring(connector, log, startedAt, 'drilling', await isIdle(workflow, log))),
  ];
  for (const at of swept) {
    log.warn('A drill was killed; its database was dropped', { database, startedAt: at.toISOString() });
    await save(
      dependencies,
      record({ ...UNREACHED, outcome: 'interrupted' as const }, 'The drill was interrupted', at),
    );
  }
  // The next row recovery or restore, which drops them too, may be months away, and scratch databases fill the disk.
  for (const purpose of ['row_recovery', 'schema', 'unproven'] as const) {
    await sweepScratch(connector, purpose, startedAt);
  }
  await sweepRestoring(connector, log, startedAt);
  await assertNoDrillRunning(connector);
  let finished: FinishedDrill;
  try {
    const manifest = await findArchive(dependencies.store, database, { archive: 'latest' });
    if (isTooLarge(manifest, workflow, await dependencies.erasures.ledger.read())) {
      const targetDatabase = scratchName('drill', connector.target.database, startedAt);
      const request = { targetDatabase, afterwards: 'drop', purpose: 'drill' } as const;
      const execution = await startRestore(workflow, request, manifest, startedAt);
      return { ...record({ ...UNREACHED, outcome: 'started' as const }), slot: manifest.slot, execution };
    }
    finished = record(await restoreAndMeasure(dependencies, manifest, startedAt));
  } catch (error) {
    const failed: DrillRecord = record({ ...UNREACHED, outcome: 'failed' as const }, reasonOf(error));
    await save(dependencies, failed).catch((cause: unknown) =>
      log.error('The failed drill could not be recorded', { database, error: messageOf(cause) }),
    );
    throw error;
  }
  await save(dependencies, finished);
  return finished;
}

async function restoreAndMeasure(
  dependencies: DrillDependencies,
  { slot }: Manifest,
  startedAt: Date,
): Promise<Measured> {
  const { connector, targetMs } = dependencies;
  const targetDatabase = scratchName('drill', connector.target.database, startedAt);
  // A restore that fails drops its own database.
  const restored = await restoreScratch(dependencies, { archive: slot }, targetDatabase);
  const { manifest, durationMs, deviations, schemaDifferences } = restored;
  try {
    return measure(manifest, { ...(await sizesOf(connector, targetDatabase)), durationMs }, targetMs, {
      deviations: deviations.length,
      schemaDifferences: schemaDifferences.length,
    });
  } finally {
    await dropDatabase(connector, targetDatabase);
  }
}
