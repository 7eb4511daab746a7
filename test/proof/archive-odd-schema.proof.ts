import { findPostgresTools } from '../../bench/backup/postgres-tools';
import { createConnector } from '../../core/database/connector';
import { compareSchemas, formatDifferences } from '../../core/schema/compare';
import type { BackupReport } from '../../lambdas/backup/contract';
import type { RestoreReport } from '../../lambdas/restore/contract';
import { type ArchiveSite, contentOf, createArchiveSite } from '../factories/archive';
import { type BundledFunctions, startBundledFunctions } from '../factories/bundled-functions';
import { createOddSchema, dropOddSchema } from '../factories/odd-schema';
import { asAdministrator, clusterTarget } from '../support/database';
import { createMasterRole, secretsOf } from '../support/roles';
import { nativeDump } from '../support/native-dump';
import { captureThrough } from '../support/schema';
import { unavailable } from './tools';

const pgDump = findPostgresTools()?.pgDump;
if (pgDump === undefined) unavailable('pg_dump', 'version 17 or newer is needed to dump a server of version 17');

/** Rows by table, without the table of which only an extension knows. Hashes of an enum's values decide on a partition. */
async function rowsOf(database: string): Promise<Record<string, string[]>> {
  const { 'app.joined_ext': _, ...content } = await contentOf(database);
  return content;
}

/** What native pg_dump writes of a database, rows and large objects included, without what no round trip keeps. */
function linesOfDump(database: string): string[] {
  return nativeDump(pgDump ?? '', database, ['--no-subscriptions', '--exclude-table', 'app.joined_ext'])
    .replaceAll(/^\\(?:un)?restrict .*$/gm, '')
    .replaceAll(/ AS "?\w+"?(?=[,;\n)])/g, '')
    .replaceAll(/^(CREATE POLICY .* TO )(.*)( USING.*)$/gm, (_, head: string, roles: string, rest: string) =>
      [head, roles.split(', ').toSorted().join(', '), rest].join(''),
    )
    .split('\n')
    .filter((line) => !/pg_authid|^CREATE USER MAPPING|^ {4}"?user"? 'u'|^ {4}password |^\);$|^(?:--)?$/.test(line))
    .toSorted();
}

/** Puts the odd schema, which has a schema of the same name, in the place of the application's tables. */
async function makeOdd(database: string): Promise<void> {
  await asAdministrator((client) => client.query('DROP SCHEMA app CASCADE'), database);
  await createOddSchema(database);
}

async function dropDatabase(name: string): Promise<void> {
  await asAdministrator((client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
}

describe('a database with every kind of object', () => {
  let functions: BundledFunctions;

  beforeAll(async () => {
    functions = await startBundledFunctions();
  });

  afterAll(async () => {
    await dropOddSchema(functions.databases.main.name);
    await functions.stop();
  });

  test('goes through the backup and the restore function as native pg_dump describes it', async () => {
    const source = functions.databases.main.name;
    const targetDatabase = `${source}_restored`;
    await makeOdd(source);
    const saved = (await functions.start('backup').invoke({ database: 'main' })) as BackupReport;
    expect(saved.outcome).toBe('created');
    expect(saved.omissions.map(({ kind, object }) => `${kind}: ${object}`)).toEqual([
      'extension-rows: app.joined_ext',
      'subscription: sub',
      'user-mapping-options: user mapping for app_ro on server remote',
    ]);
    try {
      const request = { database: 'main', archive: 'latest', targetDatabase, afterwards: 'keep' };
      const restored = (await functions.start('restore').invoke(request)) as RestoreReport;
      expect(restored.deviations).toMatchObject([{ object: 'ACL of TABLE pg_catalog.pg_authid' }]);
      expect(restored.schemaDifferences).toEqual([]);
      expect(await rowsOf(targetDatabase)).toEqual(await rowsOf(source));
      if (pgDump !== undefined) expect(linesOfDump(targetDatabase)).toEqual(linesOfDump(source));
      expect(await functions.start('verify').invoke({ database: 'main', targetDatabase })).toMatchObject({
        database: 'main',
        notChecked: [],
      });
      expect(await functions.start('drill').invoke({ database: 'main' })).toMatchObject({ outcome: 'passed' });
    } finally {
      await dropDatabase(targetDatabase);
    }
  });
});

describe('restored by a role that is no superuser, as the master role of RDS is,', () => {
  let site: ArchiveSite;

  beforeAll(async () => {
    site = await createArchiveSite('main');
    await makeOdd(site.source.name);
    await site.backup('2026-11-21T06:00:00Z');
  });

  afterAll(async () => {
    await dropOddSchema(site.source.name);
    await site.remove();
  });

  test('a database keeps its rows and keys; what only a superuser may make is listed', async () => {
    const { name } = await createMasterRole();
    const connector = createConnector(clusterTarget(site.source.name, 'main'), secretsOf(name, 'p'), 'test');
    const { targetDatabase, deviations, foreignKeysValidated } = await site.restore('latest', { connector });
    expect(deviations.map(({ object }) => object)).toEqual(
      expect.arrayContaining(['EVENT TRIGGER odd_ddl', 'EXTENSION postgres_fdw', 'FOREIGN TABLE app.ft']),
    );
    expect(foreignKeysValidated).toBeGreaterThan(3);
    expect(await rowsOf(targetDatabase)).toEqual(await rowsOf(site.source.name));
    const captured = await captureThrough(site.source.connector);
    const again = await captureThrough(site.source.connector, targetDatabase);
    const keys = compareSchemas(captured, again).filter(({ object }) => /^(?:FK )?CONSTRAINT /.test(object));
    expect(formatDifferences(keys)).toBe('');
  });
});
