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
