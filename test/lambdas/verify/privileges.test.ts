import { checkExtensions } from '../../../lambdas/verify/extensions';
import { checkPrivileges } from '../../../lambdas/verify/privileges';
import { createTestDatabase } from '../../support/database';

test('a role that may not do what the functions do is reported with the statement that lets it', async () => {
  const database = await createTestDatabase('billing');
  const role = `weak_${database.name}`;
  const client = await database.client();
  try {
    await client.query(`CREATE ROLE ${role}; GRANT USAGE ON SCHEMA billing TO ${role};
      GRANT SELECT ON ALL TABLES IN SCHEMA billing TO ${role}; REVOKE SELECT ON billing.customers FROM ${role};
      GRANT pg_read_all_data TO ${role} WITH INHERIT FALSE; GRANT USAGE ON SCHEMA operations TO ${role};
      GRANT SELECT ON ALL TABLES IN SCHEMA operations TO ${role}; SET ROLE ${role}`);
    expect((await checkPrivileges(client)).map(({ message }) => message)).toEqual([
      `The role "${role}" may not create databases, into which restores and drills load: ALTER ROLE "${role}" CREATEDB`,
      `The role "${role}" may not create schemas, which migrations do: GRANT CREATE ON DATABASE … TO "${role}", or make it the owner`,
      `The role "${role}" may not read 1 tables, which backups do, such as billing.customers: GRANT pg_read_all_data TO "${role}"`,
    ]);
    await client.query(`RESET ROLE; ALTER ROLE ${role} CREATEDB; GRANT CREATE ON DATABASE ${database.name} TO ${role};
      GRANT SELECT ON billing.customers TO ${role}; SET ROLE ${role}`);
    expect(await checkPrivileges(client)).toEqual([]);
  } finally {
    await client.query(`RESET ROLE; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await database.drop();
  }
});

test('extensions that only a superuser may make are named to a role that is none, but for those of the platform', async () => {
  const database = await createTestDatabase('main');
  const role = `master_${database.name}`;
  const client = await database.client();
  try {
    await client.query(`CREATE EXTENSION citext; CREATE EXTENSION postgres_fdw; CREATE EXTENSION IF NOT EXISTS pg_prewarm;
      CREATE ROLE ${role} CREATEDB CREATEROLE`);
    // As the superuser, who may make them all.
    expect(await checkExtensions(client)).toEqual([]);
    await client.query(`SET ROLE ${role}`);
    expect(await checkExtensions(client)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^Extension postgres_fdw is not trusted: .+"${role}" carries out, .+GRANT rds_superuser TO "${role}"`,
        ),
      ),
    ]);
    // RDS lets the members of its own role make what it supports. Rolled back: roles are of the whole server.
    await client.query(
      `RESET ROLE; BEGIN; CREATE ROLE rds_superuser; GRANT rds_superuser TO ${role}; SET LOCAL ROLE ${role}`,
    );
    expect(await checkExtensions(client)).toEqual([]);
    await client.query('ROLLBACK');
  } finally {
    await client.query(`RESET ROLE; DROP ROLE IF EXISTS ${role}`);
    await database.drop();
  }
});
