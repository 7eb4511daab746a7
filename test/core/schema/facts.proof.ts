import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { schemaFactsSchema } from '../../../core/schema/contract';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../../support/database';
import { captureOf } from '../../support/schema';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase('empty');
});

afterEach(() => database.drop());

function run(sql: string): Promise<unknown> {
  return asAdministrator((client) => client.query(sql), database.name);
}

test('rows of an extension’s configuration table and the position of its sequence are data', async () => {
  const { rows } = await asAdministrator((client) =>
    client.query<{ folder: string }>(`SELECT setting || '/extension' AS folder FROM pg_config WHERE name = 'SHAREDIR'`),
  );
  const folder = rows[0]?.folder ?? '';
  const name = `settings_${database.name}`;
  const files = [`${name}.control`, `${name}--1.0.sql`].map((file) => path.join(folder, file));
  await writeFile(files[0] ?? '', `default_version = '1.0'\nrelocatable = true\n`);
  await writeFile(
    files[1] ?? '',
    `CREATE TABLE settings (name text, builtin bool, loud text GENERATED ALWAYS AS (upper(name)) STORED);
     CREATE TABLE fixed (a int); CREATE SEQUENCE numbers;
     INSERT INTO settings VALUES ('theirs', true); INSERT INTO fixed VALUES (1);
     SELECT pg_extension_config_dump('settings', 'WHERE NOT builtin'); SELECT pg_extension_config_dump('numbers', '')`,
  );
  try {
    await run(`CREATE SCHEMA app; CREATE EXTENSION ${name} SCHEMA app; COMMENT ON EXTENSION ${name} IS 'ours'`);
    const { facts, before } = await captureOf(database);
    expect(facts.extensions).toEqual([
      {
        name,
        version: '1.0',
        schema: 'app',
        ownComment: true,
        tables: [{ schema: 'app', name: 'settings', columns: ['name', 'builtin'], condition: 'WHERE NOT builtin' }],
        sequences: [{ schema: 'app', name: 'numbers' }],
      },
    ]);
    expect(facts.omissions).toEqual([
      { kind: 'extension-rows', object: 'app.fixed', reason: expect.stringContaining(`extension ${name}`) },
    ]);
    expect(before).toContain(`COMMENT ON EXTENSION ${name} IS 'ours'`);
    expect(await readFile(files[0] ?? '', 'utf8')).toContain('1.0');
  } finally {
    for (const file of files) await rm(file, { force: true });
  }
});

test('roles are named for whatever reason the database needs them, with their groups', async () => {
  const names = ['owner', 'grantee', 'policy', 'setting', 'mapped', 'group', 'member', 'stranger'];
  const role = (name: string): string => `${name}_${database.name}`;
  await run(names.map((name) => `CREATE ROLE ${role(name)}`).join(';'));
  await run(`CREATE TABLE t (a int); ALTER TABLE t OWNER TO ${role('owner')}; GRANT SELECT ON t TO ${role('grantee')};
    CREATE POLICY p ON t TO ${role('policy')}; ALTER ROLE ${role('setting')} IN DATABASE ${database.name} SET work_mem = '8MB';
    CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;
    CREATE USER MAPPING FOR ${role('mapped')} SERVER s OPTIONS (password 'secret');
    GRANT ${role('group')} TO ${role('owner')}; GRANT ${role('owner')} TO ${role('member')}; GRANT pg_monitor TO ${role('owner')}`);
  const { facts, before, after } = await captureOf(database);
  const ours = facts.roles.map(({ name }) => name).filter((name) => name.endsWith(database.name));
  expect(ours).toEqual(['grantee', 'group', 'mapped', 'owner', 'policy', 'setting'].map(role));
  expect(facts.roles.map(({ name }) => name)).not.toContain('pg_monitor');
  expect(facts.memberships.map(({ role: of, member }) => `${member} in ${of}`)).toEqual(
    expect.arrayContaining([
      `${role('owner')} in ${role('group')}`,
      `${role('member')} in ${role('owner')}`,
      `${role('owner')} in pg_monitor`,
    ]),
  );
  expect(facts.database.roleSettings).toEqual([{ role: role('setting'), settings: ['work_mem=8MB'] }]);
  expect(before + after).not.toContain('secret');
  await database.drop();
  await asAdministrator((client) => client.query(`DROP ROLE ${names.map(role).join(', ')}`));
});

test('the facts survive a manifest', async () => {
  await run(`COMMENT ON DATABASE ${database.name} IS 'ours'; SELECT lo_create(0)`);
  const { facts } = await captureOf(database);
  expect(schemaFactsSchema.parse(JSON.parse(JSON.stringify(facts)))).toEqual(facts);
  expect(facts).toMatchObject({ serverMajor: 17, largeObjects: 1, database: { comment: 'ours', owner: 'postgres' } });
});
