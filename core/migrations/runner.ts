import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { runner } from 'node-pg-migrate';
import { type ClientBase, escapeLiteral } from 'pg';
import type { DatabaseName } from '../contract';
import { assertIdentity, readIdentity } from '../database/identity';
import { isLockTimeout, describeBlockers } from '../database/lock-timeout';
import { InvalidRequestError, OperationError, messageOf } from '../runtime/errors';
import { type MigrationFile, type MigrationRecord, readMigrationFiles } from './files';
import { partsOf } from './parts';
import { runUntransacted } from './untransacted';
import { assertHistory, CHECKSUM_TABLE, createJournal, JOURNAL_SCHEMA, JOURNAL_TABLE, readJournal } from './journal';

/** Serialises runs in one database: the second one waits, and then finds nothing to apply. */
const LOCK = `hashtextextended('billing-operations/migrate', 0)`;
/** Pause between two attempts to take that lock. */
const LOCK_POLL_MS = 500;

/**
 * How a migration takes its locks. A statement that waits for a table lock makes every later query on the table wait
 * behind it, so it gives up soon, rolls back, lets those queries through and tries again.
 */
export interface LockPolicy {
  /**
   * Longest wait for one lock, in milliseconds. Higher stops the application for as long; lower fails beside ordinary
   * transactions.
   */
  readonly timeoutMs: number;
  /** Attempts of one migration before the run fails with `database_busy`. */
  readonly attempts: number;
  /** Pause between two attempts, in milliseconds, in which the waiting queries run. */
  readonly pauseMs: number;
}

/** A backup reads for minutes under its locks; the attempts span about five minutes. */
export const DEFAULT_LOCKS: LockPolicy = { timeoutMs: 2_000, attempts: 60, pauseMs: 3_000 };

/** Names are without `.sql`, in the order of application. */
export interface MigrationStatus {
  readonly database: DatabaseName;
  readonly applied: string[];
  readonly pending: string[];
  /** The last applied migration, which names the schema's version; `null` before the first. */
  readonly current: string | null;
}

/**
 * Lists the applied and the pending migrations of a database. Changes nothing.
 *
 * @param directory folder with the migrations of this database
 * @param adopt see {@link ApplyOptions}
 * @throws OperationError as {@link applyMigrations} refuses
 */
export async function migrationStatus(
  client: ClientBase,
  database: DatabaseName,
  directory: string,
  adopt?: string,
): Promise<MigrationStatus> {
  const files = await readMigrationFiles(directory);
  return describe(database, files, await inspectDatabase(client, database, files, adopt));
}

export interface ApplyOptions {
  /** Last migration to apply, for restoring an archive of an older schema. @default the newest */
  readonly upTo?: string;
  /** Name of a database that has tables of another tool, to which the migrations are applied all the same. @default none */
  readonly adopt?: string;
  /** How the migrations take their locks. @default gives up after 2 s, and tries 60 times */
  readonly locks?: LockPolicy;
}

/**
 * Applies the pending migrations, each in a transaction of its own together with its record, so that a crash at any
 * moment leaves no migration half applied. Concurrent runs wait for each other.
 *
 * @param directory folder with the migrations of this database
 * @throws OperationError before anything is changed: `wrong_database`, `foreign_database` (it has tables but
 * no identity), `migration_edited`, `migration_gap`, `migration_duplicate`, `migration_name_malformed`, `migration_malformed`,
 * `schema_newer_than_code`; `database_busy` (retryable) when other sessions kept their locks through all attempts; and
 * `migration_failed` naming the migration, whose transaction was rolled back
 */
export async function applyMigrations(
  client: ClientBase,
  database: DatabaseName,
  directory: string,
  { upTo, adopt, locks = DEFAULT_LOCKS }: ApplyOptions = {},
): Promise<MigrationStatus> {
  const files = await readMigrationFiles(directory);
  return withMigrations(client, database, files, adopt, async (applied) => {
    const pending = files.slice(applied.length, lastIndex(files, upTo));
    // All of them first: one that is malformed stops the run before anything is changed.
    pending.forEach(partsOf);
    await client.query(`SET lock_timeout = ${locks.timeoutMs}`);
    await retryingLocks(client, locks, applied.length, async () => {
      const done = await readJournal(client);
      await applyPending(client, directory, files, pending.slice(done.length - applied.length));
    });
  });
}

/**
 * Runs `work` with the applied migrations, while no other session changes them.
 *
 * @returns the migrations afterwards
 */
export async function withMigrations(
  client: ClientBase,
  database: DatabaseName,
  files: readonly MigrationFile[],
  adopt: string | undefined,
  work: (applied: readonly MigrationRecord[]) => Promise<void>,
): Promise<MigrationStatus> {
  // Building an index on a large table takes longer than the server's statement timeout of a minute, and the run before
  // this one may take as long.
  await client.query('SET statement_timeout = 0; SET lock_timeout = 0');
  await takeLock(client);
  try {
    await work(await inspectDatabase(client, database, files, adopt));
    return describe(database, files, await readJournal(client));
  } finally {
    // The end of a lost connection has released the lock already.
    await client.query(`SELECT pg_advisory_unlock(${LOCK})`).catch(() => undefined);
  }
}

/** Asks again and again: a session that waits in a statement would block an index that is built concurrently, for ever. */
async function takeLock(client: ClientBase): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS taken`);
    if (rows[0]?.taken) return;
    await setTimeout(LOCK_POLL_MS);
  }
}

/**
 * Runs `apply` again after a lock timeout. The attempts are counted anew for each migration.
 *
 * @throws OperationError `database_busy` (retryable) when other sessions kept their locks through all attempts
 */
export async function retryingLocks(
  client: ClientBase,
  { attempts, pauseMs, timeoutMs }: LockPolicy,
  appliedBefore: number,
  apply: () => Promise<void>,
): Promise<void> {
  let applied = appliedBefore;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await apply();
    } catch (error) {
      if (!(error instanceof OperationError) || !isLockTimeout(error.cause)) throw error;
      const now = (await readJournal(client)).length;
      if (now > applied) attempt = 1;
      applied = now;
      if (attempt >= attempts) {
        throw new OperationError(
          'database_busy',
          `${error.message} (${attempts} attempts of ${timeoutMs} ms each; ${await describeBlockers(client)}). End the transaction that holds the lock, or wait for its end, then repeat the command`,
          { cause: error.cause },
        );
      }
      await setTimeout(pauseMs);
    }
  }
}

function lastIndex(files: readonly MigrationRecord[], upTo: string | undefined): number {
  if (upTo === undefined) return files.length;
  const index = files.findIndex((file) => file.name === upTo);
  if (index >= 0) return index + 1;
  throw new OperationError(
    'schema_newer_than_code',
    `This code lacks migration ${upTo}: deploy the version that has it`,
  );
}

/** The applied migrations, after it was checked that this is the intended database. */
async function inspectDatabase(
  client: ClientBase,
  database: DatabaseName,
  files: readonly MigrationRecord[],
  adopt?: string,
): Promise<MigrationRecord[]> {
  if ((await readIdentity(client)) !== undefined) await assertIdentity(client, database);
  else if (adopt === undefined) await assertEmpty(client, database);
  else await assertAdoptable(client, adopt);
  const applied = await readJournal(client);
  assertHistory(applied, files, `Database ${database}`);
  return applied;
}

/** Refuses a database that has tables but no identity: it is neither new nor one of this platform. */
async function assertEmpty(client: ClientBase, database: DatabaseName): Promise<void> {
  const tables = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND NOT (n.nspname = $1 AND c.relname IN ($2, $3))
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY 1 LIMIT 1`,
    [JOURNAL_SCHEMA, JOURNAL_TABLE, CHECKSUM_TABLE],
  );
  const table = tables.rows[0];
  if (!table) return;
  throw new OperationError(
    'foreign_database',
    `This database has tables, such as ${table.name}, but no identity: it is not the ${database} database; check host and database name. A database whose tables another tool makes is adopted by its name, see docs/deploy.md`,
  );
}

/** Refuses to adopt another database than the one that was named, or one that has a schema of the platform's name. */
async function assertAdoptable(client: ClientBase, adopt: string): Promise<void> {
  const found = await client.query<{ name: string; taken: boolean }>(
    `SELECT current_database() AS name, EXISTS (
       SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname NOT IN ($2, $3)) AS taken`,
    [JOURNAL_SCHEMA, JOURNAL_TABLE, CHECKSUM_TABLE],
  );
  const { name = '', taken = false } = found.rows[0] ?? {};
  if (name !== adopt) {
    throw new InvalidRequestError(
      `adopt: the function reaches database ${name}, not ${adopt}: type that name to adopt it`,
    );
  }
  if (!taken) return;
  throw new OperationError(
    'foreign_database',
    `Database ${name} has a schema ${JOURNAL_SCHEMA} of its own, in which this platform would keep its records: rename that schema`,
  );
}

async function applyPending(
  client: ClientBase,
  directory: string,
  files: readonly MigrationFile[],
  pending: readonly MigrationFile[],
): Promise<void> {
  if (pending.length === 0) return;
  await createJournal(client);
  let current: string | undefined;
  try {
    await runner({
      dbClient: client,
      dir: directory,
      direction: 'up',
      count: pending.length,
      migrationsSchema: JOURNAL_SCHEMA,
      migrationsTable: JOURNAL_TABLE,
      singleTransaction: false,
      // applyMigrations holds a lock of its own, which includes the checks.
      noLock: true,
      logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      migrationLoaderStrategies: [
        {
          extensions: ['.sql'],
          loader: (filePaths) => loadWithChecksums(client, filePaths, files, (name) => (current = name)),
        },
      ],
    });
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => undefined);
    if (cause instanceof OperationError) throw cause;
    throw new OperationError(
      'migration_failed',
      current === undefined
        ? `No migration was started: ${messageOf(cause)}`
        : `Migration ${current} failed and was rolled back; the ones before it stay applied. Correct it and apply again: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** Errors are thrown; the log of node-pg-migrate would repeat whole statements. */
function ignore(): void {}

/**
 * Loads a migration so that its checksum is recorded in the migration's own transaction: a crash between the two would
 * leave an applied migration that looks edited.
 */
async function loadWithChecksums(
  client: ClientBase,
  filePaths: readonly string[],
  files: readonly MigrationFile[],
  starting: (name: string) => void,
) {
  return filePaths.map((filePath) => {
    const file = files.find(({ name }) => name === path.basename(filePath, '.sql'));
    if (!file) throw new Error(`${filePath} appeared while migrations were applied: apply them again`);
    const { up } = partsOf(file);
    const record = `INSERT INTO ${JOURNAL_SCHEMA}.${CHECKSUM_TABLE} (name, sha256)
      VALUES (${escapeLiteral(file.name)}, ${escapeLiteral(file.sha256)})`;
    return {
      id: filePath,
      filePaths: [filePath],
      actions: {
        up: async (builder: { sql(statement: string): void }) => {
          starting(file.name);
          // Outside of the transaction that the builder's statements get.
          if (up.inTransaction) builder.sql(up.text);
          else await runUntransacted(client, file.name, up);
          builder.sql(record);
        },
        down: false as const,
      },
    };
  });
}

function describe(
  database: DatabaseName,
  files: readonly MigrationRecord[],
  applied: readonly MigrationRecord[],
): MigrationStatus {
  const names = applied.map((record) => record.name);
  return {
    database,
    applied: names,
    pending: files.slice(applied.length).map((file) => file.name),
    current: names.at(-1) ?? null,
  };
}
