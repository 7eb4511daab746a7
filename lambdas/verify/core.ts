import type { ClientBase } from 'pg';
import { listTables } from '../../core/archive/catalog';
import { checkInvariants } from '../../core/restore/invariants';
import type { DatabaseName } from '../../core/contract';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { explainUnknownDatabase } from '../../core/database/unknown-database';
import { OperationError } from '../../core/runtime/errors';
import { readJournal } from '../../core/migrations/journal';
import { migrationStatus } from '../../core/migrations/runner';
import { Checks } from './checks';
import { checkExtensions } from './extensions';
import { checkPrivileges } from './privileges';
import type { VerifyProblem, VerifyReport, VerifyRequest } from './contract';
import { checkStructure } from '../../core/restore/expected-structure';
import { checkForeignKeys, checkSequences, checkTriggers } from './structure';

/** The time of the newest event of each database; the main database stores none that this platform knows. */
const NEWEST: Record<DatabaseName, string | undefined> = {
  billing: 'SELECT max(received_at) AS newest FROM billing.webhook_events',
  main: undefined,
};

/** The domain of a database whose schema is not that of this code cannot be checked. */
const UNKNOWN_DOMAIN = { checked: 0, newest: null } as const;

export interface VerifyDependencies {
  /** Server and credentials of the database. */
  readonly connector: DatabaseConnector;
  /** Folder with the migrations of the connector's database. */
  readonly migrationsDirectory: string;
  readonly clock: () => Date;
  /** Milliseconds until the last check must have ended. @default no limit */
  readonly remainingMs?: () => number;
}

/**
 * Verifies a database where it is: identity, privileges of the functions' role, schema, keys and indexes against those that its migrations make, sequences,
 * rules of the domain, freshness, and foreign keys against every row. The report lists every problem, extensions that a restore may not make, and the checks for which there was no time. The database is only read, and
 * may be in use.
 *
 * @throws OperationError `wrong_database`, also when the server has no database of the name `targetDatabase`, or `database_unavailable` (retryable)
 */
export async function verifyDatabase(
  { connector, migrationsDirectory, clock, remainingMs = () => Infinity }: VerifyDependencies,
  { targetDatabase }: Pick<VerifyRequest, 'targetDatabase'>,
): Promise<VerifyReport> {
  const database = connector.target.name;
  const startedAt = clock();
  return withConnection(
    connector,
    async (client) => {
      // Verification must not change the database.
      await client.query('SET default_transaction_read_only = on');
      await assertIdentity(client, database);
      const checks = new Checks(client, remainingMs);
      checks.problems.push(...(await checkPrivileges(client)));
      const warnings = await checkExtensions(client);
      const schema = await checkSchema(client, database, migrationsDirectory);
      checks.problems.push(...schema.problems, ...(await checkTriggers(client)));
      if (schema.version !== null && schema.isKnown) {
        const { version } = schema;
        const expected = { connector, database, migrationsDirectory, version, startedAt };
        const structure = await checkStructure(client, expected);
        checks.problems.push(...structure.problems.map((message): VerifyProblem => ({ check: 'schema', message })));
        if (structure.notChecked !== undefined) checks.notChecked.push(structure.notChecked);
      }
      const tables = await listTables(client);
      // The longest checks come last.
      const sequencesChecked = await checkSequences(client, checks);
      // Rules and freshness are queried in the newest schema; an older one may lack their tables.
      const domain = schema.current ? await checkDomain(client, database, checks) : UNKNOWN_DOMAIN;
      const foreignKeysChecked = await checkForeignKeys(client, checks);
      const finishedAt = clock();
      return {
        database,
        host: connector.target.host,
        targetDatabase: targetDatabase ?? connector.target.database,
        sound: checks.problems.length === 0,
        problems: checks.problems,
        warnings,
        notChecked: checks.notChecked,
        schemaVersion: schema.version,
        pendingMigrations: schema.pending,
        tables: tables.length,
        foreignKeysChecked,
        sequencesChecked,
        invariantsChecked: domain.checked,
        newestAt: domain.newest?.toISOString() ?? null,
        ageSeconds: domain.newest && Math.round((finishedAt.getTime() - domain.newest.getTime()) / 1000),
        durationMs: finishedAt.getTime() - startedAt.getTime(),
      };
    },
    targetDatabase,
  ).catch(async (error: unknown) => {
    throw await explainUnknownDatabase(error, connector, { field: 'targetDatabase', name: targetDatabase });
  });
}

interface SchemaFinding {
  readonly version: string | null;
  readonly pending: readonly string[];
  /** Whether the schema is the one of this code. */
  readonly current: boolean;
  /** Whether this code has every migration that was applied. */
  readonly isKnown: boolean;
  readonly problems: readonly VerifyProblem[];
}

async function checkSchema(client: ClientBase, database: DatabaseName, directory: string): Promise<SchemaFinding> {
  try {
    const { current: version, pending } = await migrationStatus(client, database, directory);
    const message = `${pending.length} migrations are pending, from ${pending[0]}: apply them, then verify again`;
    const problems: VerifyProblem[] = pending.length > 0 ? [{ check: 'schema', message }] : [];
    return { version, pending, current: pending.length === 0, isKnown: true, problems };
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const version = (await readJournal(client)).at(-1)?.name ?? null;
    return {
      version,
      pending: [],
      current: false,
      isKnown: false,
      problems: [{ check: 'schema', message: error.message }],
    };
  }
}

async function checkDomain(client: ClientBase, database: DatabaseName, checks: Checks) {
  const query = NEWEST[database];
  const newest =
    query === undefined
      ? undefined
      : await checks.run('the newest event', () => client.query<{ newest: Date | null }>(query));
  const { checked, broken } = await checkInvariants(client, database, (what, check) => checks.run(what, check));
  checks.problems.push(...broken.map((message): VerifyProblem => ({ check: 'invariants', message })));
  return { checked, newest: newest?.rows[0]?.newest ?? null };
}
