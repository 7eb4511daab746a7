import { lookUpManifest, type SignedStore, type StoredManifest } from '../../core/archive/signed-manifest';
import { objectsOf } from '../../core/archive/manifest';
import { schemaVersionOf } from '../../core/archive/schema-version';
import { normaliseSlot } from '../../core/archive/slot';
import { listSlots } from '../../core/archive/store';
import type { DatabaseName } from '../../core/contract';
import { OperationError } from '../../core/runtime/errors';
import type { InspectionReport, InspectionRequest } from './contract';

/** Manifests that are read at the same time: they are small, and S3 takes a tenth of a second for each. */
const CONCURRENCY = 8;

type Report = InspectionReport<'archives'>;

/**
 * Archives of a database, the newest first. A manifest that cannot be read is named beside them: it hides no other.
 *
 * @throws OperationError `store_unavailable`, `signing_key_unavailable` (both retryable)
 */
export async function listArchives(store: SignedStore, database: DatabaseName, limit: number): Promise<Report> {
  const slots = await listSlots(store, database);
  const report: Report = { action: 'archives', database, archives: [], incomplete: [], unreadable: [] };
  for (let start = 0; start < slots.length && report.archives.length < limit; start += CONCURRENCY) {
    const batch = slots.slice(start, start + CONCURRENCY);
    const found = await Promise.all(batch.map(async (slot) => ({ slot, ...(await lookUp(store, database, slot)) })));
    for (const { slot, stored, problem } of found) {
      if (stored) report.archives.push(describe(stored));
      else if (problem !== undefined) report.unreadable.push({ slot, problem });
      else report.incomplete.push(slot);
    }
  }
  return { ...report, archives: report.archives.slice(0, limit) };
}

async function lookUp(
  store: SignedStore,
  database: DatabaseName,
  slot: string,
): Promise<{ readonly stored?: StoredManifest | undefined; readonly problem?: string }> {
  try {
    return { stored: await lookUpManifest(store, database, slot) };
  } catch (error) {
    if (!(error instanceof OperationError) || error.retryable) throw error;
    return { problem: error.message };
  }
}

function describe({ manifest, sha256, signature }: StoredManifest): Report['archives'][number] {
  const { slot, finishedAt, tables, rows, bytes, compressedBytes, durationMs } = manifest;
  return {
    slot,
    finishedAt,
    schemaVersion: schemaVersionOf(manifest),
    tables: tables.length,
    rows,
    bytes,
    compressedBytes,
    durationMs,
    recoveryPoint: manifest.version === 1 ? null : (manifest.recoveryPoint ?? null),
    signature,
    manifestSha256: sha256,
  };
}

/**
 * What an archive holds.
 *
 * @throws OperationError `store_unavailable`, `signing_key_unavailable` (both retryable), or why its manifest cannot be read
 */
export async function readArchive(
  store: SignedStore,
  { database, slot: wanted }: InspectionRequest<'archive'>,
): Promise<InspectionReport<'archive'>> {
  const slots = wanted === 'latest' ? await listSlots(store, database) : [normaliseSlot(new Date(wanted))];
  for (const slot of slots) {
    const stored = await lookUpManifest(store, database, slot);
    if (stored === undefined) continue;
    const { startedAt, server, tables } = stored.manifest;
    const contents = tables
      .map((table) => ({ table: `${table.schema}.${table.name}`, rows: table.rows, bytes: table.bytes }))
      .toSorted((a, b) => b.bytes - a.bytes);
    const objects = objectsOf(stored.manifest).length;
    const archive = { ...describe(stored), startedAt, serverVersion: server.version, objects, contents };
    return { action: 'archive', database, archive };
  }
  return { action: 'archive', database, archive: null };
}
