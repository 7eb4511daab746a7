import type { ClientBase } from 'pg';
import { listTables } from '../shared/archive/catalog';
import { checkInvariants } from '../shared/archive/invariants';
import type { DatabaseName } from '../shared/contract';
import { type DatabaseConnector, withConnection } from '../shared/database/connector';
import { assertIdentity } from '../shared/database/identity';
import { OperationError } from '../shared/errors';
import { readJournal } from '../shared/migrations/journal';
import { migrationStatus } from '../shared/migrations/runner';
import type { VerifyProblem, VerifyReport, VerifyRequest } from './contract';
import { checkForeignKeys, checkSequences, checkTriggers, readEverything } from './structure';

/** When each database last heard of the world; main keeps nothing that the platform could read this from. */
const NEWEST: Record<DatabaseName, string | undefined> = {
  billing: 'SELECT max(received_at) AS newest FROM billing.webhook_events',
  main: undefined,
};

const SKIPPED = { checked: 0, problems: [], newest: null } as const;

export interface VerifyDependencies {
  /** Server and credentials of the database. */
  readonly connector: DatabaseConnector;
  /** Folder with the migrations of the connector's database. */
  readonly migrationsDirectory: string;
  readonly now: () => Date;
}

/**
 * Verifies a database where it is: identity, schema, foreign keys against every row, sequences, rules of the domain,
 * freshness. Everything that is wrong is in the report; the database is only read, and may be in use. When a table cannot
 * be read, the checks of rows are left out.
 *
 * @throws OperationError `wrong_database`, or `database_unavailable` (retryable)
 */
export async function verifyDatabase(
  { connector, migrationsDirectory, now }: VerifyDependencies,
  { targetDatabase, warm = false }: Pick<VerifyRequest, 'targetDatabase' | 'warm'>,
): Promise<VerifyReport> {
  const database = connector.target.name;
  const startedAt = now();
  return withConnection(
    connector,
    async (client) => {
      // A verification that changes what it verifies proves nothing; and it reads for as long as it takes.
      await client.query('SET default_transaction_read_only = on; SET statement_timeout = 0');
      await assertIdentity(client, database);
      // Warm first: the checks read the same pages.
      const warmed = warm ? await readEverything(client) : undefined;
      const schema = await checkSchema(client, database, migrationsDirectory);
      const triggers = await checkTriggers(client);
      // The other checks would end at the first page that cannot be read, and hide what is known already.
      const readable = warmed === undefined || warmed.problems.length === 0;
      const foreignKeys = readable ? await checkForeignKeys(client) : SKIPPED;
      const sequences = readable ? await checkSequences(client) : SKIPPED;
      // Rules and freshness are told in the newest schema; an older one may lack what they read.
      const domain = readable && schema.current ? await checkDomain(client, database) : SKIPPED;
      const problems = [warmed, schema, { problems: triggers }, foreignKeys, sequences, domain].flatMap(
        (finding) => finding?.problems ?? [],
      );
      const finishedAt = now();
      return {
        database,
        host: connector.target.host,
        targetDatabase: targetDatabase ?? connector.target.database,
        sound: problems.length === 0,
        problems,
        schemaVersion: schema.version,
        pendingMigrations: schema.pending,
        tables: (await listTables(client)).length,
        foreignKeysChecked: foreignKeys.checked,
        sequencesChecked: sequences.checked,
        invariantsChecked: domain.checked,
        newestAt: domain.newest?.toISOString() ?? null,
        ageSeconds: domain.newest && Math.round((finishedAt.getTime() - domain.newest.getTime()) / 1000),
        warmedRows: warmed?.checked ?? null,
        durationMs: finishedAt.getTime() - startedAt.getTime(),
      };
    },
    targetDatabase,
  );
}

interface SchemaFinding {
  readonly version: string | null;
  readonly pending: readonly string[];
  /** Whether the schema is the one of this code. */
  readonly current: boolean;
  readonly problems: readonly VerifyProblem[];
}

async function checkSchema(client: ClientBase, database: DatabaseName, directory: string): Promise<SchemaFinding> {
  try {
    const { current: version, pending } = await migrationStatus(client, database, directory);
    const message = `${pending.length} migrations are pending, from ${pending[0]}: apply them, then verify again`;
    const problems: VerifyProblem[] = pending.length > 0 ? [{ check: 'schema', message }] : [];
    return { version, pending, current: pending.length === 0, problems };
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const version = (await readJournal(client)).at(-1)?.name ?? null;
    return { version, pending: [], current: false, problems: [{ check: 'schema', message: error.message }] };
  }
}

async function checkDomain(client: ClientBase, database: DatabaseName) {
  const { checked, broken } = await checkInvariants(client, database);
  const query = NEWEST[database];
  const newest = query === undefined ? undefined : await client.query<{ newest: Date | null }>(query);
  const problems = broken.map((message): VerifyProblem => ({ check: 'invariants', message }));
  return { checked, problems, newest: newest?.rows[0]?.newest ?? null };
}
