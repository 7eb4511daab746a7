import type { Client } from 'pg';
import { qualified } from '../../archive/copy-session';
import { contentsOf, type Manifest } from '../../archive/manifest';
import { type DatabaseConnector, withConnection } from '../../database/connector';
import { prepareSession } from '../../database/session';
import type { SweepLimits, SweepPosition } from '../../erasure/billing';
import { OperationError } from '../../runtime/errors';
import { restoreDatabaseOwner } from '../../schema/apply/database';
import { Deviations } from '../../schema/apply/deviations';
import { applyOwners, stagesOf } from '../../schema/apply/restore-schema';
import type { Deviation } from '../../schema/contract';
import type { ReadSchema } from '../../schema/read-schema';
import { archiveContradictsSchema } from '../archive-errors';
import { describeLargeObjects } from '../large-objects';
import { countForeignKeys, largeObjectsOf, prepareWriter, sequencesOf } from '../load-into';
import { databaseExists, endSessions, renameDatabase } from '../new-database';
import { unappliedMigration } from '../pending-migrations';
import {
  asAdministrator,
  Domain,
  type MigratedDomain,
  proveSchema,
  reportDifferences,
  type RestoreDependencies,
} from '../restore-phases';
import { advanceSequences, restoreSequences } from '../sequences';
import { collectStatistics } from '../statistics';
import { VerifiedObjects } from '../verified-objects';
import type { RestoreProof } from '../restore-archive';
import { tryLock, waitForLock } from './alone';
import { runEntriesOnce, withEntrySession } from './entries';
import {
  dropJournal,
  forgetStep,
  JOURNAL_SCHEMA,
  readDeviations,
  readProgress,
  readStep,
  readSteps,
  recordStep,
  type StepDetail,
} from './journal';
import { planAfter } from './keys';
import { partStep } from './load-group';

/** Parts in an error; there may be thousands. */
const SHOWN = 5;

/** A database that is being restored, and what it is made of. */
export interface Restoring {
  readonly manifest: Manifest;
  readonly schema: ReadSchema;
  readonly name: string;
}

/** A proof, which is whole when it is `done`. */
export interface SteppedProof {
  readonly done: boolean;
  readonly proof: RestoreProof;
}

/**
 * Builds the indexes of one large table, each once, as far as the time of the call goes. One that takes longer is completed
 * by the server.
 *
 * @returns whether all are there; otherwise the next call continues
 * @throws OperationError `archive_inconsistent`; and, retryable, `database_unavailable`
 */
export async function buildIndexes(
  dependencies: RestoreDependencies,
  { manifest, schema, name }: Restoring,
  number: number,
  stop: AbortSignal,
): Promise<boolean> {
  const steps = planAfter(schema.after, manifest.tables).builds[number] ?? [];
  return withEntrySession(dependencies, schema.after, name, (client) => runEntriesOnce(client, steps, 'leave', stop));
}

/**
 * Makes what comes after the rows, up to owners and privileges: sequences, counts, keys, materialised views, policies. In as
 * many calls as it takes.
 *
 * @returns whether all of it is there; otherwise the next call continues
 * @throws OperationError `archive_inconsistent` naming part, table or key, `schema_not_applied`; and, retryable,
 * `database_unavailable`
 */
export async function completeDatabase(
  dependencies: RestoreDependencies,
  { manifest, schema, name }: Restoring,
  stop: AbortSignal,
): Promise<boolean> {
  const { keys, checks, rules } = planAfter(schema.after, manifest.tables);
  return withEntrySession(dependencies, schema.after, name, async (client) => {
    // A call that was given up may still run: setting its sequences late would undo their advance.
    if (!(await tryLock(client, 'completion of a restore'))) return false;
    if (!(await readStep(client, 'sequences'))) {
      await assertAllLoaded(client, manifest);
      const deviations = new Deviations();
      const sequences = await restoreSequences(client, manifest.sequences, sequencesOf(schema.facts), deviations);
      await client.query(recordStep('sequences', { sequences, deviations: deviations.all() }));
    }
    if (!(await runEntriesOnce(client, keys, 'judge', stop))) return false;
    if (!(await runEntriesOnce(client, checks, 'judge', stop))) return false;
    if (!(await readStep(client, 'advanced'))) {
      const deviations = new Deviations();
      // By the indexes, of which most columns that a sequence numbers have one.
      await advanceSequences(client, deviations);
      await client.query(recordStep('advanced', { deviations: deviations.all() }));
    }
    return runEntriesOnce(client, rules, 'judge', stop);
  });
}

/**
 * Requires that every part was loaded. The server counted the rows as it stored them, in the transaction that records the
 * part: to count terabytes again would take hours, and find the same.
 */
async function assertAllLoaded(client: Client, manifest: Manifest): Promise<void> {
  const loaded = await readSteps(client, 'part:');
  for (const table of contentsOf(manifest)) {
    if (table.extension !== undefined || table === largeObjectsOf(manifest)[0]) continue;
    const missing = table.parts.filter((part) => loaded.get(partStep(part))?.rows !== part.rows);
    if (missing.length === 0) continue;
    const keys = missing.slice(0, SHOWN).map(({ key }) => key);
    throw archiveContradictsSchema(
      `Table ${qualified(table)} lacks ${missing.length} of ${table.parts.length} parts, such as ${keys.join(', ')}`,
    );
  }
}

/**
 * Collects statistics, checks the rules of the domain, gives owners and privileges, compares the schema, brings it up to
 * date, and erases people again, in as many calls as that takes. Repeating it changes nothing.
 *
 * @param hasTime for another page of rows. @default always
 * @returns the proof so far; the database is proven when it is `done`; otherwise the next call continues
 * @throws OperationError as `restoreArchive` does
 */
export function proveDatabase(
  dependencies: RestoreDependencies,
  restoring: Restoring,
  hasTime?: () => boolean,
): Promise<SteppedProof> {
  return withConnection(
    dependencies.connector,
    async (client) => {
      // A call that was given up may still run: to compare the schema while it applies migrations would find these.
      await waitForLock(client, 'proof of a restore');
      return prove(dependencies, restoring, hasTime);
    },
    restoring.name,
  );
}

async function prove(
  dependencies: RestoreDependencies,
  { manifest, schema, name }: Restoring,
  hasTime: SweepLimits['hasTime'],
): Promise<SteppedProof> {
  const { connector, log } = dependencies;
  const objects = new VerifiedObjects(dependencies.store, 0);
  const domain = new Domain(dependencies, manifest, name);
  await withEntrySession(dependencies, schema.after, name, async (client) => {
    if (!(await readStep(client, 'checked'))) {
      const deviations = new Deviations();
      await collectStatistics(client, [client], deviations);
      await domain.checkWhenCurrent();
      await client.query(recordStep('checked', { deviations: deviations.all() }));
    }
    if (!(await readStep(client, 'owned'))) {
      const deviations = new Deviations();
      await describeObjects(dependencies, objects, { manifest, schema, name }, deviations);
      await applyOwners(client, stagesOf(schema.after.entries), deviations);
      await asAdministrator(connector, (administrator) =>
        restoreDatabaseOwner(administrator, name, schema.facts.database, deviations),
      );
      await client.query(recordStep('owned', { deviations: deviations.all() }));
    }
  });
  const known = await withConnection(
    connector,
    async (client) => ({
      deviations: await readDeviations(client),
      sequences: Number((await readStep(client, 'sequences'))?.sequences),
      rolesCreated: ((await readStep(client, 'request'))?.rolesCreated ?? []) as string[],
      foreignKeysValidated: await countForeignKeys(client),
    }),
    name,
  );
  const deviations = new Deviations(known.deviations);
  const schemaDifferences = await withoutMigrations(dependencies, { manifest, schema, name }, deviations);
  const { done, ...proven } = await eraseOn(dependencies, domain, name, { deviations, schemaDifferences }, hasTime);
  if (done) reportDifferences(log, deviations.all(), schemaDifferences);
  const proof = {
    foreignKeysValidated: known.foreignKeysValidated,
    sequencesRestored: known.sequences,
    rolesCreated: known.rolesCreated,
    ...proven,
    deviations: deviations.all(),
    schemaDifferences,
  };
  return { done, proof };
}

/** What the calls before found and did, where erasing people again takes more than one. */
interface Erasing extends StepDetail {
  readonly migrated: MigratedDomain;
  readonly unapplied: Deviation | null;
  readonly continueFrom: SweepPosition | null;
  readonly rowsErased: number;
}

/** Brings the schema up to date, and erases people again from where the call before stopped. */
async function eraseOn(
  { connector }: RestoreDependencies,
  domain: Domain,
  name: string,
  { deviations, schemaDifferences }: { readonly deviations: Deviations; readonly schemaDifferences: readonly string[] },
  hasTime: SweepLimits['hasTime'],
): Promise<MigratedDomain & { readonly rowsErased: number; readonly done: boolean }> {
  const before = (await withConnection(connector, (client) => readStep(client, 'erasing'), name)) as
    | Erasing
    | undefined;
  if (before?.unapplied) deviations.addFirst(before.unapplied);
  const migrated = before?.migrated ?? (await domain.migrateAndCheck(deviations));
  const { done, continueFrom, ...erased } = await domain.eraseAgain(deviations, {
    from: before?.continueFrom,
    hasTime,
  });
  const rowsErased = (before?.rowsErased ?? 0) + erased.rowsErased;
  const unapplied = unappliedMigration(deviations.all()) ?? null;
  const found = { deviations: deviations.all().length, schemaDifferences: schemaDifferences.length };
  const erasing: Erasing = { migrated, unapplied, continueFrom, rowsErased };
  await withConnection(
    connector,
    async (client) => {
      // Of a proof before, when people were erased since.
      if (!done) await forgetStep(client, 'proven');
      await client.query(done ? recordStep('proven', { found }) : recordStep('erasing', erasing));
    },
    name,
  );
  return { ...migrated, rowsErased, done };
}

/** Compares the schema, once: a repeated call finds the migrations in it that the first has applied. */
async function withoutMigrations(
  dependencies: RestoreDependencies,
  { manifest, name }: Restoring,
  deviations: Deviations,
): Promise<string[]> {
  const { connector } = dependencies;
  const known = await withConnection(connector, (client) => readStep(client, 'compared'), name);
  if (known) return known.differences as string[];
  const objects = new VerifiedObjects(dependencies.store, 0);
  const differences = await proveSchema(dependencies, { manifest, objects }, name, deviations, {
    excludedSchema: JOURNAL_SCHEMA,
  });
  await withConnection(connector, (client) => client.query(recordStep('compared', { differences })), name);
  return differences;
}

async function describeObjects(
  { connector }: RestoreDependencies,
  objects: VerifiedObjects,
  { manifest, schema, name }: Restoring,
  deviations: Deviations,
): Promise<void> {
  const [metadata] = largeObjectsOf(manifest);
  if (!metadata) return;
  await withConnection(
    connector,
    async (client) => {
      await prepareWriter(client, schema.facts);
      await describeLargeObjects(objects, client, metadata, deviations);
    },
    name,
  );
}

/**
 * Gives a proven database its final name, and removes the record of the calls. Repeating it changes nothing.
 *
 * @throws OperationError `database_unproven`, `target_exists` when another database has taken the name; and, retryable,
 * `database_unavailable`
 */
export async function releaseDatabase(connector: DatabaseConnector, name: string, finalName: string): Promise<void> {
  // Otherwise a call before this one renamed it, and was killed, or its answer was lost.
  if (await databaseExists(connector, name)) {
    await readProof(connector, name);
    // Of calls that were killed, or of a person who looks at the restore: a database with sessions is not renamed.
    await endSessions(connector, name);
    await renameDatabase(connector, name, finalName);
  }
  await withConnection(
    connector,
    async (client) => {
      await prepareSession(client, 0);
      await dropJournal(client);
    },
    finalName,
  );
}

/** How many parts of a proven database are not as archived; null when a version that did not count them proved it. */
type Findings = Readonly<Record<'deviations' | 'schemaDifferences', number | null>>;

/**
 * Requires that a database is proven.
 *
 * @returns the findings of its proof
 * @throws OperationError `database_unproven`; and, retryable, `database_unavailable`
 */
export async function readProof(connector: DatabaseConnector, name: string): Promise<Findings> {
  const proven = await withConnection(connector, readProven, name);
  if (proven) return (proven.found ?? { deviations: null, schemaDifferences: null }) as Findings;
  throw new OperationError('database_unproven', `Database ${name} is not proven: prove it before it is released`);
}

async function readProven(client: Client): Promise<StepDetail | undefined> {
  return (await readProgress(client)) === undefined ? undefined : readStep(client, 'proven');
}
