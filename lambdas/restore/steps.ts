import { readManifest } from '../../core/archive/signed-manifest';
import { normaliseSlot } from '../../core/archive/slot';
import { readArchivedSchema } from '../../core/restore/archived-schema';
import { assertNewDatabase, dropDatabase } from '../../core/restore/new-database';
import type { RestoreDependencies } from '../../core/restore/restore-archive';
import { scratchName, startOfScratch } from '../../core/restore/scratch-names';
import { findStoredArchive } from '../../core/restore/select-archive';
import { buildIndexes, completeDatabase, proveDatabase, releaseDatabase } from '../../core/restore/steps/complete';
import { loadGroup } from '../../core/restore/steps/load-group';
import { planGroups } from '../../core/restore/steps/load-groups';
import { prepareSteps } from '../../core/restore/steps/prepare';
import { VerifiedObjects } from '../../core/restore/verified-objects';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import type { StepReport, StepRequest } from './contract';

/** Deviations and differences in the answer of a step, of which a workflow keeps 256 KiB; the log has all of them. */
const SHOWN = 100;

export interface StepDependencies extends RestoreDependencies {
  /** Aborted when the call runs out of time. */
  readonly stop: AbortSignal;
  /** Bytes of COPY text that one call loads. @default 1 GiB */
  readonly groupBytes?: number;
}

/**
 * One step of a restore that is too large for one call.
 *
 * @throws OperationError as the functions of `core/restore/steps` describe
 */
export async function runStep(dependencies: StepDependencies, request: StepRequest): Promise<StepReport> {
  const { connector, clock } = dependencies;
  switch (request.step) {
    case 'prepare':
      return prepare(dependencies, request);
    case 'load':
      return load(dependencies, request);
    case 'index': {
      const restoring = await restoringOf(dependencies, request);
      return { step: 'index', done: await buildIndexes(dependencies, restoring, request.number, dependencies.stop) };
    }
    case 'complete': {
      const restoring = await restoringOf(dependencies, request);
      return { step: 'complete', done: await completeDatabase(dependencies, restoring, dependencies.stop) };
    }
    case 'prove': {
      const restoring = await restoringOf(dependencies, request);
      const { done, proof } = await proveDatabase(dependencies, restoring, () => !dependencies.stop.aborted);
      const { deviations, schemaDifferences } = proof;
      const shown = { deviations: deviations.slice(0, SHOWN), schemaDifferences: schemaDifferences.slice(0, SHOWN) };
      return { step: 'prove', done, proof: { ...proof, ...shown } };
    }
    case 'release':
      if (request.afterwards === 'drop') await dropDatabase(connector, request.name);
      else await releaseDatabase(connector, request.name, request.targetDatabase);
      return { step: 'release', durationMs: clock().getTime() - Date.parse(request.startedAt) };
    default: {
      const name = request.name ?? scratchName('restoring', connector.target.database, new Date(request.startedAt));
      if (startOfScratch('restoring', connector.target.database, name) === undefined) {
        throw new InvalidRequestError(`name: ${name} is not the name of a database that is being restored`);
      }
      await dropDatabase(connector, name);
      return { step: 'discard', name };
    }
  }
}

async function prepare(
  dependencies: StepDependencies,
  request: Extract<StepRequest, { step: 'prepare' }>,
): Promise<StepReport> {
  const { connector, store } = dependencies;
  const { database, targetDatabase, startedAt } = request;
  const purpose = request.purpose === 'drill' ? 'drilling' : 'restoring';
  // The database of a drill never gets another name.
  if (purpose === 'restoring') await assertNewDatabase(connector, targetDatabase);
  const { manifest, sha256: manifestSha256 } = await findStoredArchive(store, database, request);
  const name = scratchName(purpose, connector.target.database, new Date(startedAt));
  const prepared = await prepareSteps(dependencies, {
    manifest,
    manifestSha256,
    targetDatabase,
    purpose,
    name,
    groupBytes: dependencies.groupBytes,
  });
  return { step: 'prepare', database, slot: manifest.slot, manifestSha256, ...prepared };
}

async function load(
  dependencies: StepDependencies,
  request: Extract<StepRequest, { step: 'load' }>,
): Promise<StepReport> {
  const { name, number } = request;
  const { manifest, schema } = await restoringOf(dependencies, request);
  const group = planGroups(manifest, dependencies.groupBytes)[number];
  if (!group) throw new InvalidRequestError(`number: the archive has no group ${number}`);
  const objects = new VerifiedObjects(dependencies.store, 0);
  const rows = await loadGroup(dependencies, objects, schema.facts, name, { group, number, stop: dependencies.stop });
  return { step: 'load', rows };
}

async function restoringOf(
  dependencies: StepDependencies,
  { database, slot, manifestSha256, name }: Extract<StepRequest, { name: string }>,
) {
  const stored = await readManifest(dependencies.store, database, normaliseSlot(slot), manifestSha256);
  if (!stored) throw new OperationError('archive_not_found', `The archive of ${slot} is gone: restore another archive`);
  const { manifest } = stored;
  const objects = new VerifiedObjects(dependencies.store, 0);
  return { manifest, schema: await readArchivedSchema(dependencies, { manifest, objects }), name };
}
