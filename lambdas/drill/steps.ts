import { readManifest } from '../../core/archive/signed-manifest';
import { normaliseSlot } from '../../core/archive/slot';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { databaseExists, dropDatabase } from '../../core/restore/new-database';
import { scratchName } from '../../core/restore/scratch-names';
import { assertProven } from '../../core/restore/steps/complete';
import { OperationError } from '../../core/runtime/errors';
import type { DrillStepReport, DrillStepRequest } from './contract';
import { type DrillDependencies, measure, save, type Sizes, sizesOf, UNREACHED } from './findings';

/** Characters of what an error says; that of a workflow may have 32 KiB. */
const LONGEST_CAUSE = 1_000;

/**
 * Ends a drill that a workflow made: records it, whether it passed or failed, and drops its database. Repeating it changes
 * nothing.
 *
 * @throws OperationError `database_unproven`, `archive_not_found`; and, retryable, `store_unavailable`, `database_unavailable`
 */
export async function endDrill(dependencies: DrillDependencies, request: DrillStepRequest): Promise<DrillStepReport> {
  const { connector, targetMs } = dependencies;
  const name = scratchName('drilling', connector.target.database, new Date(request.startedAt));
  // To the second, like the name, by which a later drill would record this one as interrupted.
  const startedAt = new Date(normaliseSlot(request.startedAt)).toISOString();
  const common = { database: request.database, startedAt, targetMs };
  if (request.step === 'fail') {
    const error = `${request.error}: ${messageIn(request.cause)} (${request.execution})`;
    const record = { ...common, ...UNREACHED, outcome: 'failed' as const, error };
    try {
      await save(dependencies, record);
    } finally {
      await dropDatabase(connector, name);
    }
    return { step: 'fail', name, record };
  }
  const archive = await readManifest(
    dependencies.store,
    request.database,
    normaliseSlot(request.slot),
    request.manifestSha256,
  );
  if (!archive) throw new OperationError('archive_not_found', `The archive of ${request.slot} is gone: drill again`);
  const durationMs = Date.parse(request.finishedAt) - Date.parse(request.startedAt);
  const sizes = await measuredSizes(connector, name, startedAt);
  const record = { ...common, ...measure(archive.manifest, { ...sizes, durationMs }, targetMs), error: null };
  await save(dependencies, record);
  await dropDatabase(connector, name);
  return { step: 'record', name, record };
}

/** Sizes of a proven database; those on record when a call before this one dropped it, and its answer was lost. */
async function measuredSizes(connector: DatabaseConnector, name: string, startedAt: string): Promise<Sizes> {
  if (await databaseExists(connector, name)) {
    await assertProven(connector, name);
    return sizesOf(connector, name);
  }
  const { rows } = await withConnection(connector, (live) =>
    live.query<Sizes>(
      `SELECT restored_bytes::float8 AS "restoredBytes", live_bytes::float8 AS "liveBytes" FROM operations.drills
       WHERE started_at = $1 AND outcome IN ('passed', 'slow')`,
      [startedAt],
    ),
  );
  const [recorded] = rows;
  if (!recorded) throw new OperationError('database_unproven', `Database ${name} was dropped before it was measured`);
  return recorded;
}

/** The message of a function's error, which Step Functions quotes as JSON; of any other, all of it. */
function messageIn(cause: string): string {
  let message: unknown;
  try {
    message = (JSON.parse(cause) as { readonly errorMessage?: unknown } | null)?.errorMessage;
  } catch {
    // Not of a function.
  }
  return (typeof message === 'string' ? message : cause).slice(0, LONGEST_CAUSE);
}
