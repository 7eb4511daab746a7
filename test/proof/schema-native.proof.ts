import { findPostgresTools } from '../../bench/backup/postgres-tools';
import { createManyTables, createOddSchema, dropOddSchema } from '../factories/odd-schema';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { nativeDump } from '../support/native-dump';
import { dumpOf } from '../support/schema';
import { unavailable } from './tools';

const VERSIONS = [17, 18] as const;
const FLAGS = ['--schema-only', '--encoding=UTF8', '--no-tablespaces', '--no-subscriptions', '--restrict-key=key'];
/** The one line that tells the programs apart. */
const PRODUCER = /^-- Dumped by pg_dump version .*$/m;

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
      // As the capture sets it: times in defaults do not depend on settings of roles.
      const native = nativeDump(pgDump ?? '', database.name, FLAGS, { PGTZ: 'UTC' });
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
