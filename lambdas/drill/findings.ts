import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import type { RestoreDependencies } from '../../core/restore/restore-archive';
import { messageOf, OperationError } from '../../core/runtime/errors';
import type { DrillRecord, RestoredFindings } from './contract';
import { saveRecord } from './record';

export interface DrillDependencies extends RestoreDependencies {
  /** Milliseconds in which a restored database must be verified and ready. */
  readonly targetMs: number;
}

/** A drill that restored and verified its archive. */
export type FinishedDrill = DrillRecord & { readonly durationMs: number; readonly targetPercent: number };
export type Measured = Omit<FinishedDrill, 'database' | 'startedAt' | 'targetMs' | 'error'>;

/** Bytes of the restored database, with its indexes, and of the live one. */
export interface Sizes {
  readonly restoredBytes: number;
  readonly liveBytes: number;
}

/** Of a drill that did not restore its archive. */
export const UNREACHED = {
  slot: null,
  tables: null,
  rows: null,
  durationMs: null,
  restoredBytes: null,
  bytesPerSecond: null,
  liveBytes: null,
  projectedMs: null,
  targetPercent: null,
  deviations: null,
  schemaDifferences: null,
} as const;

/**
 * Compares the time with the target. A live database that has outgrown its archive would take longer than the drill, so
 * the longer of the two times counts.
 */
export function measure(
  archive: { readonly slot: string; readonly tables: readonly unknown[]; readonly rows: number },
  { restoredBytes, liveBytes, durationMs }: Sizes & { readonly durationMs: number },
  targetMs: number,
  found: RestoredFindings,
): Measured {
  const bytesPerMs = restoredBytes / Math.max(durationMs, 1);
  const projectedMs = Math.round(liveBytes / bytesPerMs);
  const targetPercent = Math.round((Math.max(durationMs, projectedMs) / targetMs) * 10_000) / 100;
  return {
    outcome: targetPercent > 100 ? 'slow' : 'passed',
    slot: archive.slot,
    tables: archive.tables.length,
    rows: archive.rows,
    durationMs,
    restoredBytes,
    bytesPerSecond: Math.round(bytesPerMs * 1000),
    liveBytes,
    projectedMs,
    targetPercent,
    ...found,
  };
}

export async function sizesOf(connector: DatabaseConnector, restored: string): Promise<Sizes> {
  return {
    restoredBytes: await databaseBytes(connector, restored),
    liveBytes: await databaseBytes(connector, connector.target.database),
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

/** Code and message of an error, for the record. */
export function reasonOf(error: unknown): string {
  return error instanceof OperationError ? `${error.code}: ${error.message}` : messageOf(error);
}

/** @returns what is on record @throws OperationError `store_unavailable`, `database_unavailable` (retryable) */
export function save({ connector, store }: DrillDependencies, record: DrillRecord): Promise<DrillRecord> {
  return withConnection(connector, (live) => saveRecord(store, live, record));
}
