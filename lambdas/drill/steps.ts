import { readManifest } from '../../core/archive/signed-manifest';
import { normaliseSlot } from '../../core/archive/slot';
import { databaseExists, dropDatabase } from '../../core/restore/new-database';
import { scratchName } from '../../core/restore/scratch-names';
import { readProof } from '../../core/restore/steps/complete';
import { OperationError } from '../../core/runtime/errors';
import type { DrillStepReport, DrillStepRequest } from './contract';
import { type DrillDependencies, measure, type Measured, save, sizesOf, UNREACHED } from './findings';
import { readRecord } from './record';

/** Characters of what an error says; that of a workflow may have 32 KiB. */
const LONGEST_CAUSE = 1_000;

/**
 * Ends a drill that a workflow made: records it, whether it passed or failed, and drops its database. Repeating it changes
 * nothing; a drill that is on record already stays as it is there, such as one that passed and whose database could not be dropped.
 *
 * @throws OperationError `database_unproven`, `archive_not_found`; and, retryable, `store_unavailable`, `database_unavailable`
 */
export async function endDrill(dependencies: DrillDependencies, request: DrillStepRequest): Promise<DrillStepReport> {
  const { connector, store, targetMs } = dependencies;
  const { database } = request;
  const name = scratchName('drilling', connector.target.database, new Date(request.startedAt));
  // To the second, like the name, by which a later drill would record this one as interrupted.
  const startedAt = new Date(normaliseSlot(request.startedAt)).toISOString();
  const common = { database, startedAt, targetMs };
  const known = () => readRecord(store, database, startedAt);
  if (request.step === 'fail') {
    const error = `${request.error}: ${messageIn(request.cause)} (${request.execution})`;
    try {
      const record = await save(dependencies, (await known()) ?? { ...common, ...UNREACHED, outcome: 'failed', error });
      return { step: 'fail', name, record };
    } finally {
      await dropDatabase(connector, name);
    }
  }
  // A call before this one may have dropped the database already.
  const record = await save(
    dependencies,
    (await known()) ?? { ...common, ...(await measureProven(dependencies, request, name)), error: null },
  );
  await dropDatabase(connector, name);
  return { step: 'record', name, record };
}

async function measureProven(
  { connector, store, targetMs }: DrillDependencies,
  { database, slot, manifestSha256, startedAt, finishedAt }: Extract<DrillStepRequest, { step: 'record' }>,
  name: string,
): Promise<Measured> {
  const archive = await readManifest(store, database, normaliseSlot(slot), manifestSha256);
  if (!archive) throw new OperationError('archive_not_found', `The archive of ${slot} is gone: drill again`);
  if (!(await databaseExists(connector, name))) {
    throw new OperationError('database_unproven', `Database ${name} was dropped before it was measured: drill again`);
  }
  const found = await readProof(connector, name);
  const durationMs = Date.parse(finishedAt) - Date.parse(startedAt);
  return measure(archive.manifest, { ...(await sizesOf(connector, name)), durationMs }, targetMs, found);
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
