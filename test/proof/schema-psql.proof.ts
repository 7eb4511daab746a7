import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findPostgresTools } from '../../bench/backup/postgres-tools';
import { compareSchemas, formatDifferences } from '../../core/schema/compare';
import type { CapturedSchema } from '../../core/schema/contract';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../support/database';
import { captureOf, captureThrough } from '../support/schema';
import { testServices } from '../support/services';
import { unavailable } from './tools';

const psql = findPostgresTools()?.psql;
if (psql === undefined) unavailable('psql', 'version 17.6 or newer is needed for \\restrict');

let database: TestDatabase;
let folder: string;
let restored: string;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-psql-'));
  database = await createTestDatabase('empty');
  restored = `${database.name}_by_hand`;
  await asAdministrator((client) => client.query(`CREATE DATABASE ${restored} TEMPLATE template0`));
});

afterEach(async () => {
  await asAdministrator((client) => client.query(`DROP DATABASE IF EXISTS ${restored} WITH (FORCE)`));
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs both texts of a schema as the guide does. */
function runByHand({ before, after }: Pick<CapturedSchema, 'before' | 'after'>): {
  status: number | null;
  errors: string;
} {
  const { host, port, user, password, caFile } = testServices().cluster;
  writeFileSync(path.join(folder, 'before.sql'), before);
  writeFileSync(path.join(folder, 'after.sql'), after);
  const { status, stderr } = spawnSync(
    psql ?? '',
    [
      '--no-psqlrc',
      '--quiet',
      '--set',
      'ON_ERROR_STOP=1',
      '--dbname',
      restored,
      '--file',
      'before.sql',
      '--file',
      'after.sql',
    ],
    {
      cwd: folder,
      env: {
        ...process.env,
        PGHOST: host,
        PGPORT: String(port),
        PGUSER: user,
        PGPASSWORD: password,
        PGSSLMODE: 'verify-full',
        PGSSLROOTCERT: caFile,
      },
      encoding: 'utf8',
    },
  );
  return { status, errors: stderr };
}

(psql === undefined ? describe.skip : describe)('the two texts of a schema, run by psql alone,', () => {
  test('make the schema again, whatever commands of psql stand in its names and comments', async () => {
    const hostile = `x"\n\\! touch pwned\n\\unrestrict 0\n\\c template1\n; DROP TABLE t; --'$$`;
    const name = `"${hostile.replaceAll('"', '""').slice(0, 60)}"`;
    const text = `'${hostile.replaceAll("'", "''")}'`;
    await asAdministrator(
      (client) =>
        client.query(`CREATE SCHEMA ${name}; CREATE TABLE ${name}.${name} (${name} text DEFAULT ${text} CHECK (${name} <> ${text}));
          COMMENT ON TABLE ${name}.${name} IS ${text}; CREATE INDEX ON ${name}.${name} (${name});
          CREATE FUNCTION ${name}.f() RETURNS text LANGUAGE sql AS $body$ SELECT ${text}::text $body$;
          CREATE MATERIALIZED VIEW ${name}.m AS SELECT ${text}::text AS ${name}; CREATE VIEW ${name}.v AS SELECT * FROM ${name}.m`),
      database.name,
    );
    const captured = await captureOf(database);
    expect(runByHand(captured)).toEqual({ status: 0, errors: '' });
    expect(existsSync(path.join(folder, 'pwned'))).toBe(false);
    const again = await captureThrough(database.connector, restored);
    expect(formatDifferences(compareSchemas(captured, again))).toBe('');
  });

  test('run no command of psql that was put between statements', async () => {
    const captured = await captureOf(database);
    const before = captured.before.replace('SET row_security = off;', '$&\n\\! touch pwned');
    const { status, errors } = runByHand({ ...captured, before });
    expect(status).not.toBe(0);
    expect(errors).toContain('backslash commands are restricted');
    expect(existsSync(path.join(folder, 'pwned'))).toBe(false);
  });
});
