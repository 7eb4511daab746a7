import { restoreScratch, type RestoreDependencies, type RestoredArchive } from '../../core/restore/restore-archive';
import { dropDatabase } from '../../core/restore/new-database';
import { scratchName } from '../../core/restore/scratch-names';
import { sweepScratch } from '../../core/restore/scratch-sweep';
import { sweepRestoring } from '../../core/restore/steps/leftovers';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { messageOf, OperationError } from '../../core/runtime/errors';
import type { DrillRecord } from './contract';
import { saveRecord } from './record';

export interface DrillDependencies extends RestoreDependencies {
  /** Milliseconds in which a restored database must be verified and ready. */
  readonly targetMs: number;
}

/** A drill that restored and verified its archive. */
export type FinishedDrill = DrillRecord & { readonly durationMs: number; readonly targetPercent: number };

type Findings = Omit<DrillRecord, 'database' | 'startedAt' | 'targetMs' | 'error'>;
type Measured = Omit<FinishedDrill, 'database' | 'startedAt' | 'targetMs' | 'error'>;

const UNREACHED = {
  slot: null,
  tables: null,
  rows: null,
  durationMs: null,
  restoredBytes: null,
  bytesPerSecond: null,
  liveBytes: null,
  projectedMs: null,
  targetPercent: null,
} as const;

/**
 * Proves that the newest archive can be restored, and how fast: restores it into a scratch database, verifies it,
 * compares the time with the target, and drops it. Every drill is recorded, even one that fails; the next drill drops the
 * database of one that was killed, and records it as interrupted.
 *
 * @returns the record; its outcome is `slow` when the restore is sound but the target would be missed
 * @throws OperationError as {@link restoreScratch} does, once the failure is recorded; nothing is left behind
 */
export async function runDrill(dependencies: DrillDependencies): Promise<FinishedDrill> {
  const { connector, targetMs, log, clock } = dependencies;
  const database = connector.target.name;
  const startedAt = clock();
  const record = <Found extends Findings>(findings: Found, error: string | null = null, at = startedAt) => ({
    database,
    startedAt: at.toISOString(),
    targetMs,
    error,
    ...findings,
  });
  const swept = await sweepScratch(connector, 'drill', startedAt);
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
  let measured: Measured;
  try {
    measured = await restoreAndMeasure(dependencies, startedAt);
  } catch (error) {
    const reason = error instanceof OperationError ? `${error.code}: ${error.message}` : messageOf(error);
    await save(dependencies, record({ ...UNREACHED, outcome: 'failed' as const }, reason)).catch((cause: unknown) =>
      log.error('The failed drill could not be recorded', { database, error: messageOf(cause) }),
    );
    throw error;
  }
  const finished = record(measured);
  await save(dependencies, finished);
  return finished;
}

async function restoreAndMeasure(dependencies: DrillDependencies, startedAt: Date): Promise<Measured> {
  const { connector, targetMs } = dependencies;
  const targetDatabase = scratchName('drill', connector.target.database, startedAt);
  // A restore that fails drops its own database.
  const restored = await restoreScratch(dependencies, { archive: 'latest' }, targetDatabase);
  try {
    const [restoredBytes, liveBytes] = [
      await databaseBytes(connector, targetDatabase),
      await databaseBytes(connector, connector.target.database),
    ];
    return measure(restored, { restoredBytes, liveBytes, targetMs });
  } finally {
    await dropDatabase(connector, targetDatabase);
  }
}

/**
 * Compares the time with the target. A live database that has outgrown its archive would take longer than the drill, so
 * the longer of the two times counts.
 */
function measure(
  { manifest, durationMs }: RestoredArchive,
  sizes: { readonly restoredBytes: number; readonly liveBytes: number; readonly targetMs: number },
): Measured {
  const { restoredBytes, liveBytes, targetMs } = sizes;
  const bytesPerMs = restoredBytes / Math.max(durationMs, 1);
  const projectedMs = Math.round(liveBytes / bytesPerMs);
  const targetPercent = Math.round((Math.max(durationMs, projectedMs) / targetMs) * 10_000) / 100;
  return {
    outcome: targetPercent > 100 ? 'slow' : 'passed',
    slot: manifest.slot,
    tables: manifest.tables.length,
    rows: manifest.rows,
    durationMs,
    restoredBytes,
    bytesPerSecond: Math.round(bytesPerMs * 1000),
    liveBytes,
    projectedMs,
    targetPercent,
  };
}

async function databaseBytes(connector: DatabaseConnector, name: string): Promise<number> {
  return withConnection(
    connector,
    async (client) => {
      const size = await client.query<{ bytes: number }>(
        'SELECT pg_database_size(current_database())::float8 AS bytes',
      );
      return size.rows[0]?.bytes ?? 0;
    },
    name,
  );
}

async function save({ connector, store }: DrillDependencies, record: DrillRecord): Promise<void> {
  await withConnection(connector, (live) => saveRecord(store, live, record));
}
