import { attemptPrefix } from '../../core/archive/keys';
import type { CompleteManifest } from '../../core/archive/manifest';
import { readManifest, type SignedStore, type StoredManifest, writeManifest } from '../../core/archive/signed-manifest';
import { listObjects } from '../../core/archive/store';
import { withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { readVerifiedText } from '../../core/restore/verified-text';
import { VerifiedObjects } from '../../core/restore/verified-objects';
import { OperationError } from '../../core/runtime/errors';
import { runConcurrently } from '../../core/runtime/run-concurrently';
import { captureCurrent } from '../../core/schema/capture';
import type { CapturedSchema } from '../../core/schema/contract';
import { type Attempt, completeManifest } from './archive-content';
import { readPlan } from './archive-plan';
import { type PartRecord, readPartRecord, type StepDependencies, withReadFailures } from './archive-steps';
import type { PublishRequest } from './contract';
import type { PlannedPart } from './parts';
import { assertStoodStill, observeStillness } from './stillness';
import { logOmissions, type WrittenArchive } from './write-archive';

/** Records that are read at once: each takes S3 some 20 ms and no memory. */
const READS_IN_FLIGHT = 32;
/** Parts in an error; there may be thousands. */
const SHOWN = 5;
const SCHEMA_BYTES = 64 * 1024 * 1024;

/**
 * Publishes the archive of a database that stood still: every part is there, as the call that copied it measured it, and
 * nothing was written since the plan. Repeating it changes nothing: the manifest follows from plan and parts alone.
 *
 * @throws OperationError `archive_incomplete` naming the parts, `database_in_use`, `database_changed`, `wrong_database`,
 * `archive_not_found`, `archive_unauthenticated`; and, retryable, `database_unavailable`, `store_unavailable`,
 * `signing_key_unavailable`
 */
export async function publishArchive(dependencies: StepDependencies, request: PublishRequest): Promise<WrittenArchive> {
  const { store, log } = dependencies;
  const published = await readManifest(store, request.database, request.slot);
  if (published) return outcomeOf(published, request.attempt);
  const plan = await readPlan(store, request);
  const { attempt, description, tables, largeObjects, planned } = plan;
  const parts = await readParts(store, attempt, planned);
  await assertUnchanged(dependencies, plan.fingerprint, description.schema);
  const finishedAt = new Date(
    Math.max(Date.parse(plan.startedAt), ...parts.map(({ copiedAt }) => Date.parse(copiedAt))),
  );
  const manifest = completeManifest(
    attempt,
    { description, tables, largeObjects, planned },
    parts.map(({ etag: _etag, copiedAt: _copiedAt, ...part }) => part),
    { startedAt: new Date(plan.startedAt), finishedAt },
  );
  logOmissions(log, manifest);
  return outcomeOf(await writeManifest(store, manifest, attempt.retainUntil), request.attempt);
}

function outcomeOf(published: StoredManifest, attempt: string): WrittenArchive {
  return { published, outcome: published.manifest.attempt === attempt ? 'created' : 'already-exists' };
}

/** The records of all parts, each of which is that of the object that S3 has. */
async function readParts(
  store: SignedStore,
  { database, slot, attempt }: Attempt,
  planned: readonly PlannedPart[],
): Promise<PartRecord[]> {
  const stored = new Map<string, string | undefined>();
  for await (const { Key = '', ETag } of listObjects(store, attemptPrefix(database, slot, attempt)))
    stored.set(Key, ETag);
  const records: PartRecord[] = [];
  const missing: string[] = [];
  await runConcurrently(planned, Array(READS_IN_FLIGHT).keys(), async ({ key }) => {
    const record = await readPartRecord(store, key);
    if (record && record.etag === stored.get(key)) records.push(record);
    else missing.push(key);
  });
  if (missing.length === 0) return records;
  throw new OperationError(
    'archive_incomplete',
    `${missing.length} of ${planned.length} parts are missing, or are not what was copied, so nothing was published: ${missing.toSorted().slice(0, SHOWN).join(', ')}`,
  );
}

async function assertUnchanged(
  { connector, store, pgDumpWorker: workerFile }: StepDependencies,
  fingerprint: string,
  { before, after, facts }: CompleteManifest['schema'],
): Promise<void> {
  const objects = new VerifiedObjects(store, SCHEMA_BYTES);
  const schema: CapturedSchema = {
    before: await readVerifiedText(objects, before),
    after: await readVerifiedText(objects, after),
    facts,
  };
  const present = await withReadFailures(captureCurrent({ connector, workerFile }));
  await withReadFailures(
    withConnection(connector, async (client) => {
      await assertIdentity(client, connector.target.name);
      assertStoodStill({ fingerprint, schema }, { fingerprint: await observeStillness(client), schema: present });
    }),
  );
}
