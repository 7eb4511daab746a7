import { readFileSync } from 'node:fs';
import path from 'node:path';
import { noErasures } from '../../support/erasures';
import type { ClientBase } from 'pg';
import { applyAccess } from '../../../core/access/apply';
import { FUNCTION_LOGINS, PERSON_ACCESS } from '../../../core/access/contract';
import { planAccess } from '../../../core/access/plan';
import { ACCESS_POLICIES, CLONE_SUFFIX, PERSON_LIMITS, type LoginLimits } from '../../../core/access/policy';
import { DATABASE_NAMES } from '../../../core/contract';
import { createConnector, withConnection, type DatabaseConnector } from '../../../core/database/connector';
import type { Secrets } from '../../../core/runtime/secrets';
import { archiveDatabase } from '../../../lambdas/backup/archive-database';
import { normaliseSlot } from '../../../core/archive/slot';
import type { AccessReport } from '../../../lambdas/migrate/contract';
import { migrate } from '../../../lambdas/migrate/core';
import type { AccessSettings } from '../../../lambdas/migrate/access';
import { runRestore } from '../../../lambdas/restore/core';
import { migrationsOf } from '../../factories/archive';
import { createManifestKey } from '../../support/archive-key';
import { silentLog } from '../../support/log';
import { MASTER, startMasterServer, type MasterServer } from '../../support/master-server';
import { createBucket, objectStore } from '../../support/object-store';
import { PG_DUMP_WORKER } from '../../support/schema';

/** As RDS has it: the user of the migrations is no superuser, and roles belong to one server. */
let server: MasterServer;
const passwords: Record<string, string> = { billing_backup_user: 'b1', billing_service_user: 's1' };
/** Which user of a pair is the current one. @default the first */
const current: Record<string, string> = {};
const secrets: Secrets = {
  read: async (login, schema) => schema.parse({ username: current[login] ?? login, password: passwords[login] }),
};
const settings: AccessSettings = {
  secrets,
  loginSecrets: { backup: 'billing_backup_user', service: 'billing_service_user' },
  people: [{ user: 'ann', access: 'readonly' }],
};

beforeAll(async () => {
  server = await startMasterServer();
});
afterAll(() => server.stop());

async function bring(access: AccessSettings, dryRun: boolean, keep: string[] = []): Promise<AccessReport> {
  const dependencies = {
    connector: server.master('billing'),
    migrationsDirectory: migrationsOf('billing'),
    clock: () => new Date(),
    access,
  };
  const report = await migrate(dependencies, {
    action: 'access',
    database: 'billing',
    keep,
    passwordsOnly: false,
    dryRun,
  });
  return report as AccessReport;
}

const query = async (connector: DatabaseConnector, sql: string, database?: string) =>
  (await withConnection(connector, (client: ClientBase) => client.query<Record<string, unknown>>(sql), database)).rows;

test('a dry run says what would change and changes nothing', async () => {
  const report = await bring(settings, true);
  expect(report.changes).toContainEqual({
    verb: 'revoke',
    role: 'public',
    what: 'CONNECT, TEMPORARY on database billing',
    sql: 'REVOKE CONNECT, TEMPORARY ON DATABASE billing FROM PUBLIC',
  });
  expect(report.passwords).toEqual(['billing_service_user', 'billing_backup_user']);
  expect(report.obstacles).toEqual([]);
  const [{ roles } = {}] = await query(
    server.master('billing'),
    `SELECT count(*)::int AS roles FROM pg_roles WHERE rolname ~ '^billing_(readonly|service|backup)'`,
  );
  expect(roles).toBe(0);
});

test('a master without superuser makes groups, logins with their limits, and people who log in by IAM alone', async () => {
  await bring(settings, false);
  await expect(bring(settings, true)).resolves.toMatchObject({ changes: [], passwords: [] });
  const backup = server.as('billing', 'billing_backup_user', 'b1');
  await expect(query(backup, 'SHOW statement_timeout')).resolves.toEqual([{ statement_timeout: '1min' }]);
  await expect(query(backup, 'SHOW default_transaction_read_only')).resolves.toEqual([
    { default_transaction_read_only: 'on' },
  ]);
  const people = await query(
    server.master('billing'),
    `SELECT rolconnlimit, pg_has_role(oid, 'rds_iam', 'MEMBER') AS iam, pg_has_role(oid, 'billing_readonly', 'MEMBER') AS reads
     FROM pg_roles WHERE rolname = 'ann'`,
  );
  expect(people).toEqual([{ rolconnlimit: 5, iam: true, reads: true }]);
  await expect(query(server.as('billing', 'ann', ''), 'SELECT 1')).rejects.toMatchObject({
    code: 'database_unavailable',
  });
});

test('what people read is recorded where the server has pgaudit, and reported where the master may not set that', async () => {
  const [ann, bob] = [{ user: 'ann', access: 'readonly' } as const, { user: 'bob', access: 'service' } as const];
  const named = `SELECT rolname AS user, setting FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole, unnest(setconfig) AS setting
    WHERE setting LIKE 'pgaudit%' ORDER BY 1, 2`;
  const recorded = async () =>
    (await query(server.master('billing'), named)).map(({ user, setting }) => [user, setting]);
  await bring({ ...settings, people: [ann, bob] }, false);
  await expect(recorded()).resolves.toEqual([]);

  // In the place of the library: the parameters are there, and only who was granted them sets them.
  for (const name of ['log', 'log_relation', 'log_catalog']) {
    await server.asSuperuser(`ALTER DATABASE billing SET pgaudit.${name} = 'none'`);
  }
  await expect(bring({ ...settings, people: [ann] }, false)).resolves.toMatchObject({
    changes: [{ verb: 'alter', role: 'bob' }, { verb: 'revoke' }, { verb: 'revoke' }],
    obstacles: [
      `What ann reads is not recorded. As an administrator: ALTER ROLE ann SET pgaudit.log = 'read,write,ddl,role'`,
    ],
  });
  await server.asSuperuser(
    `GRANT SET ON PARAMETER pgaudit.log, pgaudit.log_relation, pgaudit.log_catalog TO ${MASTER.username}`,
  );
  await expect(recorded()).resolves.toEqual([]);
  await bring({ ...settings, people: [{ ...ann, access: 'service' }, bob] }, false);
  await expect(bring({ ...settings, people: [ann, bob] }, false)).resolves.toMatchObject({ obstacles: [] });
  await expect(bring({ ...settings, people: [ann, bob] }, true)).resolves.toMatchObject({ changes: [] });
  await expect(recorded()).resolves.toEqual([
    ['ann', 'pgaudit.log=read,write,ddl,role'],
    ['ann', 'pgaudit.log_catalog=off'],
    ['ann', 'pgaudit.log_relation=on'],
    ['bob', 'pgaudit.log=read,write,ddl,role'],
    ['bob', 'pgaudit.log_catalog=on'],
    ['bob', 'pgaudit.log_relation=on'],
  ]);
  await server.asSuperuser(
    `ALTER ROLE ann RESET ALL; DROP ROLE bob; ALTER DATABASE billing RESET ALL;
     REVOKE SET ON PARAMETER pgaudit.log, pgaudit.log_relation, pgaudit.log_catalog FROM ${MASTER.username}`,
  );
  await bring(settings, false);
});

test('backups need the right to read everything only where a table is not granted to them', async () => {
  const needsAll = async () => (await bring(settings, true)).obstacles.some((one) => one.includes('pg_read_all_data'));
  await expect(needsAll()).resolves.toBe(false);
  await server.asSuperuser('CREATE TABLE billing.foreign_notes (note text)', 'billing');
  await expect(bring(settings, true)).resolves.toMatchObject({
    obstacles: expect.arrayContaining([
      'billing_backup should be a member of pg_read_all_data. As an administrator: GRANT pg_read_all_data TO billing_backup',
    ]) as string[],
  });
  await server.asSuperuser('GRANT SELECT ON billing.foreign_notes TO billing_backup', 'billing');
  await expect(needsAll()).resolves.toBe(false);
  await server.asSuperuser(
    'DROP TABLE billing.foreign_notes; CREATE TABLE public.foreign_notes (note text)',
    'billing',
  );
  await expect(needsAll()).resolves.toBe(true);
  await server.asSuperuser('DROP TABLE public.foreign_notes', 'billing');
});

test('backups read what a role makes later whose tables the master manages as its member', async () => {
  const asApplication = (sql: string) => server.asSuperuser(`SET ROLE application; ${sql}`, 'billing');
  await server.asSuperuser(
    `CREATE ROLE application; GRANT application TO ${MASTER.username}; GRANT USAGE, CREATE ON SCHEMA billing TO application`,
    'billing',
  );
  await asApplication('CREATE TABLE billing.notes (note text)');
  const obstacles = [expect.stringMatching(/^billing_backup should be a member of pg_read_all_data/)] as string[];
  await server.asSuperuser(`GRANT application TO ${MASTER.username} WITH SET FALSE`);
  await expect(bring(settings, true)).resolves.toMatchObject({ obstacles });
  await server.asSuperuser(`GRANT application TO ${MASTER.username} WITH SET TRUE`);
  await expect(bring(settings, false)).resolves.toMatchObject({ obstacles: [] });
  await asApplication('CREATE TABLE billing.later_notes (note text)');
  const backup = server.as('billing', 'billing_backup_user', 'b1');
  await expect(query(backup, 'SELECT FROM billing.later_notes')).resolves.toEqual([]);
  await server.asSuperuser('DROP OWNED BY application; DROP ROLE application', 'billing');
});

test('a password that another moment had, as on a recovered instance, is set again, and nothing else', async () => {
  passwords.billing_service_user = 's2';
  await expect(bring(settings, false)).resolves.toMatchObject({ changes: [], passwords: ['billing_service_user'] });
  await query(server.as('billing', 'billing_service_user', 's2'), 'SELECT 1');
});

test('a recovered instance beside gets the passwords of today, before anything refers to it', async () => {
  passwords.billing_service_user = 's3';
  const beside = { action: 'access', database: 'billing', host: 'localhost', keep: [], dryRun: false } as const;
  const owner: Secrets = {
    read: async (arn, schema, ...version) =>
      arn === 'billing-secret' ? schema.parse(MASTER) : secrets.read(arn, schema, ...version),
  };
  const access = { ...settings, secrets: owner };
  // The instance in use is gone.
  const connector = createConnector({ ...server.target('billing'), host: '127.0.0.9' }, owner, 'migrate');
  const dependencies = { connector, migrationsDirectory: migrationsOf('billing'), clock: () => new Date(), access };
  await expect(migrate(dependencies, { ...beside, passwordsOnly: false })).resolves.toMatchObject({
    passwords: ['billing_service_user'],
  });
  await query(server.as('billing', 'billing_service_user', 's3'), 'SELECT 1');

  // Roles of that moment stay: of a pair of which only one user was there, the other is made as a rotation would.
  passwords.billing_service_user = 's4';
  await server.asSuperuser('CREATE ROLE of_that_moment; DROP ROLE billing_backup_user_clone');
  current.billing_backup_user = 'billing_backup_user_clone';
  await expect(migrate(dependencies, { ...beside, passwordsOnly: true })).resolves.toMatchObject({
    changes: [],
    passwords: ['billing_service_user', 'billing_backup_user_clone'],
  });
  await query(server.as('billing', 'billing_service_user', 's4'), 'SELECT 1');
  await query(server.as('billing', 'billing_backup_user_clone', 'b1'), 'SELECT FROM billing.charges');
  await expect(migrate(dependencies, { ...beside, passwordsOnly: true })).resolves.toMatchObject({ passwords: [] });
  delete current.billing_backup_user;

  // Of a moment before there were logins, nothing is left to give a password.
  const without = { ...access, loginSecrets: { api: 'billing_api_user' } };
  passwords.billing_api_user = 'a1';
  await expect(migrate({ ...dependencies, access: without }, { ...beside, passwordsOnly: true })).rejects.toMatchObject(
    {
      code: 'access_refused',
      message: expect.stringContaining('billing_api_user does not exist there'),
    },
  );
  await server.asSuperuser('DROP ROLE of_that_moment');
});

test('a person of both databases on one server loses only the one whose settings leave them out', async () => {
  const ann = { user: 'ann', access: 'readonly' } as const;
  await bring({ ...settings, people: [ann] }, false);
  await server.asSuperuser('CREATE ROLE main_readonly; GRANT main_readonly TO ann');
  await expect(bring({ ...settings, people: [ann] }, true)).resolves.toMatchObject({ changes: [] });
  await bring({ ...settings, people: [] }, false);
  const known = `SELECT rolcanlogin AS logs_in, pg_has_role(oid, 'billing_readonly', 'MEMBER') AS billing,
    pg_has_role(oid, 'main_readonly', 'MEMBER') AS main FROM pg_roles WHERE rolname = 'ann'`;
  await expect(query(server.master('billing'), known)).resolves.toEqual([
    { logs_in: true, billing: false, main: true },
  ]);
  await server.asSuperuser('DROP ROLE main_readonly');
  await bring({ ...settings, people: [ann] }, false);
});

test('a person who left the settings may not log in', async () => {
  await bring({ ...settings, people: [] }, false);
  await expect(
    query(server.master('billing'), `SELECT rolcanlogin FROM pg_roles WHERE rolname = 'ann'`),
  ).resolves.toEqual([{ rolcanlogin: false }]);
});

test('what the login of backups archives, the master restores, with the same privileges and closed to everyone else', async () => {
  await query(server.master('billing'), `INSERT INTO billing.job_successes VALUES ('cleanup', now())`);
  const s3 = objectStore();
  const store = { s3, bucket: await createBucket(s3), signingKey: createManifestKey() };
  const clock = () => new Date();
  const common = { store, log: silentLog, clock, pgDumpWorker: PG_DUMP_WORKER };
  await archiveDatabase(
    {
      ...common,
      connector: server.as('billing', 'billing_backup_user', 'b1'),
      retentionDays: 1,
      lockWaitMs: 10_000,
      streamingLimitBytes: 2 ** 40,
    },
    normaliseSlot(new Date()),
  );
  const migrationsDirectory = migrationsOf('billing');
  const report = await runRestore(
    { ...common, connector: server.master('billing'), migrationsDirectory, erasures: noErasures },
    { archive: 'latest', afterwards: 'keep', targetDatabase: 'billing_restored' },
  );
  expect(report).toMatchObject({ database: 'billing' });
  await expect(
    query(
      server.as('billing', 'billing_service_user', 's4'),
      'SELECT job FROM billing.job_successes',
      'billing_restored',
    ),
  ).resolves.toEqual([{ job: 'cleanup' }]);
  await server.asSuperuser(`CREATE ROLE stranger LOGIN PASSWORD 's'`);
  await expect(query(server.as('billing', 'stranger', 's'), 'SELECT 1', 'billing_restored')).rejects.toThrow(
    'permission denied for database',
  );
  const owners = await query(
    server.master('billing'),
    `SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('billing', 'operations')`,
    'billing_restored',
  );
  expect(owners).toEqual([{ tableowner: MASTER.username }]);
});

test('a group is removed by the statements of docs/access.md, and made again', async () => {
  const page = readFileSync(path.resolve(__dirname, '../../../docs/access.md'), 'utf8');
  const [, statements = ''] = /```sql\n([^`]*DROP OWNED BY[^`]*)```/.exec(page) ?? [];
  const master = server.master('billing');
  await server.asSuperuser('DROP DATABASE IF EXISTS billing_restored');
  await expect(query(master, 'DROP ROLE billing_readonly')).rejects.toMatchObject({
    message: expect.stringContaining('some objects depend on it'),
  });
  await query(master, statements);
  const { changes } = await bring(settings, true);
  expect(changes).toContainEqual(expect.objectContaining({ verb: 'create', role: 'billing_readonly' }));
  await bring(settings, false);
  await expect(bring(settings, true)).resolves.toMatchObject({ changes: [], obstacles: [] });
});

test.each(DATABASE_NAMES)(
  'each login of %s has the timeouts and the limit of connections of the policy',
  async (name) => {
    const policy = ACCESS_POLICIES[name];
    const logins = FUNCTION_LOGINS.filter((login) => policy.logins[login]);
    const people = PERSON_ACCESS.map((access) => ({ user: `limited_${access}`, access }));
    const users = [
      ...Object.values(policy.logins).flatMap((login) =>
        [login.name, login.name + CLONE_SUFFIX].map((user) => [user, login.limits]),
      ),
      ...people.map(({ user, access }) => [user, PERSON_LIMITS[access]]),
    ] as [string, LoginLimits][];
    const rows = await withConnection(server.master(name), async (client) => {
      const wishes = { name, logins, people, keep: [], whole: false };
      await applyAccess(client, (await planAccess(client, policy, wishes)).changes);
      // What another tool changed since is set again.
      await client.query(
        `ALTER ROLE limited_readonly CONNECTION LIMIT -1; ALTER ROLE limited_readonly SET lock_timeout = 0`,
      );
      await applyAccess(client, (await planAccess(client, policy, wishes)).changes);
      const found = await client.query<{ user: string; limits: object }>(
        `SELECT rolname AS user, (SELECT json_object_agg(split_part(s, '=', 1), split_part(s, '=', 2)) FROM unnest(rolconfig) AS s)::jsonb
         || jsonb_build_object('connections', rolconnlimit) AS limits
       FROM pg_roles WHERE rolname = ANY ($1)`,
        [users.map(([user]) => user)],
      );
      return found.rows;
    });
    expect(Object.fromEntries(rows.map(({ user, limits }) => [user, limits]))).toEqual(
      Object.fromEntries(
        users.map(([user, limits]) => [
          user,
          {
            connections: limits.connections,
            statement_timeout: String(limits.statementTimeoutMs),
            lock_timeout: String(limits.lockTimeoutMs),
            idle_in_transaction_session_timeout: String(limits.idleInTransactionTimeoutMs),
            idle_session_timeout: String(limits.idleSessionTimeoutMs),
            default_transaction_read_only: limits.readOnly ? 'on' : 'off',
          },
        ]),
      ),
    );
  },
);
