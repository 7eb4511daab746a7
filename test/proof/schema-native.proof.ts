import { spawnSync } from 'node:child_process';
import { findPostgresTools } from '../../bench/backup/postgres-tools';
import { createManyTables, createOddSchema, dropOddSchema } from '../factories/odd-schema';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { dumpOf } from '../support/schema';
import { testServices } from '../support/services';
import { unavailable } from './tools';

const VERSIONS = [17, 18] as const;
const FLAGS = ['--schema-only', '--encoding=UTF8', '--no-tablespaces', '--no-subscriptions', '--restrict-key=key'];
/** The one line that tells the programs apart. */
const PRODUCER = /^-- Dumped by pg_dump version .*$/m;

function nativeDump(pgDump: string, database: string): string {
  const { host, port, user, password, caFile } = testServices().cluster;
  const { status, stdout, stderr } = spawnSync(pgDump, [...FLAGS, '--dbname', database], {
    env: {
      ...process.env,
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password,
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: caFile,
      // As the capture sets it: times in defaults do not depend on settings of roles.
      PGTZ: 'UTC',
    },
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

for (const version of VERSIONS) {
  const pgDump = findPostgresTools(version)?.pgDump;
  if (pgDump === undefined) unavailable(`pg_dump ${version}`, 'there is neither a program nor a wheel with it');

  (pgDump === undefined ? describe.skip : describe)(`byte for byte what native pg_dump ${version} writes`, () => {
    let database: TestDatabase;

    beforeEach(async () => {
      database = await createTestDatabase('empty');
    });

    afterEach(async () => {
      await dropOddSchema(database.name);
      await database.drop();
    });

    async function expectSameText(): Promise<void> {
      const native = nativeDump(pgDump ?? '', database.name);
      expect((await dumpOf(database)).replace(PRODUCER, '')).toBe(native.replace(PRODUCER, ''));
    }

    test('is captured of every kind of object, under hostile names', async () => {
      await createOddSchema(database.name);
      await expectSameText();
    });

    test('is captured of 500 tables', async () => {
      await createManyTables(await database.client(), 500);
      await expectSameText();
    });
  });
}
