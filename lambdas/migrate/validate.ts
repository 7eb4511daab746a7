import type { ClientBase } from 'pg';
import { assertIdentity } from '../../core/database/identity';
import { type MigrationFile, type MigrationRecord, readMigrationFiles } from '../../core/migrations/files';
import { readJournal } from '../../core/migrations/journal';
import { partsOf } from '../../core/migrations/parts';
import { checkStructure } from '../../core/restore/expected-structure';
import { messageOf } from '../../core/runtime/errors';
import type { ValidateReport } from './contract';
import type { PlanDependencies } from './plan';

/** Schemas that only migrations of the platform fill. */
const OWN_SCHEMAS = ['billing', 'operations'];

/**
 * Compares the record of applied migrations with the files, and the schema with the one that those files make. Lists every
 * problem instead of refusing at the first; the database is only read.
 *
 * @throws OperationError `wrong_database`, or `database_unavailable` (retryable)
 */
export async function validateMigrations(
  client: ClientBase,
  { connector, migrationsDirectory, clock }: PlanDependencies,
): Promise<ValidateReport> {
  const database = connector.target.name;
  await assertIdentity(client, database);
  const problems: string[] = [];
  const notChecked: string[] = [];
  let files: readonly MigrationFile[] = [];
  try {
    files = await readMigrationFiles(migrationsDirectory);
    problems.push(...files.flatMap(problemsOfFile));
  } catch (error) {
    problems.push(messageOf(error));
  }
  const journal = await readJournal(client);
  problems.push(...problemsOfJournal(journal, files));
  const version = journal.at(-1)?.name ?? null;
  if (problems.length === 0) {
    const expected = { connector, database, migrationsDirectory, version, startedAt: clock() };
    const structure = await checkStructure(client, expected);
    problems.push(...structure.problems, ...(await invalidIndexes(client)));
    if (structure.notChecked !== undefined) notChecked.push(structure.notChecked);
  } else {
    notChecked.push('the schema, whose migrations are not known for certain');
  }
  return {
    database,
    valid: problems.length === 0,
    problems,
    notChecked,
    files: files.length,
    applied: journal.length,
  };
}

/** What a build without a transaction leaves when it fails: writes maintain the index, and no query uses it. */
async function invalidIndexes(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
     FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT x.indisvalid AND c.relkind = 'i' AND n.nspname = ANY ($1) ORDER BY 1`,
    [OWN_SCHEMAS],
  );
  return rows.map(
    ({ name }) =>
      `The index ${name} is invalid: its build failed, or is under way. ops migrate apply builds that of a pending migration again; any other: DROP INDEX CONCURRENTLY ${name}`,
  );
}

function problemsOfFile(file: MigrationFile): string[] {
  try {
    return partsOf(file).down === undefined
      ? [`Migration ${file.name} has no down part: add one, or a comment there that says why it cannot be taken back`]
      : [];
  } catch (error) {
    return [messageOf(error)];
  }
}

function problemsOfJournal(journal: readonly MigrationRecord[], files: readonly MigrationFile[]): string[] {
  const problems: string[] = [];
  journal.forEach(({ name, sha256 }, index) => {
    if (journal.findIndex((record) => record.name === name) < index) {
      problems.push(`Migration ${name} is on record twice: delete the later row of operations.migrations`);
      return;
    }
    const position = files.findIndex((file) => file.name === name);
    if (position < 0) {
      problems.push(`Migration ${name} is on record, and has no file: deploy the version that has it`);
    } else if (position !== index) {
      problems.push(
        `Migration ${name} is on record as number ${index + 1}, and its file is number ${position + 1}: ${files[index]?.name ?? 'a file'} was not applied before it`,
      );
    } else if (sha256 === '') {
      problems.push(`Migration ${name} is on record without a checksum: it was not applied by this platform`);
    } else if (files[position]?.sha256 !== sha256) {
      problems.push(`The file of ${name} was edited after it was applied: restore it, and make a new migration`);
    }
  });
  return problems;
}
