import type { ClientBase } from 'pg';
import { restoreDatabaseSettings } from '../../../core/schema/apply/database';
import { Deviations } from '../../../core/schema/apply/deviations';
import { restoreRoles } from '../../../core/schema/apply/roles';

const SETTINGS = ['app.jwt_secret=hush', 'statement_timeout=8s'];

/** Refuses every setting, and answers that there is no role. */
const refusing = {
  query: async (sql: string) => {
    if (sql.startsWith('ALTER ')) throw new Error('permission denied to set parameter');
    return { rows: [] };
  },
} as unknown as ClientBase;

test('a report names a setting of the application that a server refuses, without its value, which may be a secret', async () => {
  const deviations = new Deviations();
  const roleSettings = [{ role: 'api', settings: SETTINGS }];
  const database = {
    name: 'shop',
    owner: 'api',
    comment: null,
    connectionLimit: -1,
    settings: SETTINGS,
    roleSettings,
    grants: null,
  };
  await restoreDatabaseSettings(refusing, 'shop', database, deviations);
  const rights = {
    superuser: false,
    createDatabase: false,
    createRole: false,
    replication: false,
    bypassRowSecurity: false,
  };
  const role = {
    name: 'api',
    canLogin: false,
    inherit: true,
    connectionLimit: -1,
    comment: null,
    settings: SETTINGS,
    ...rights,
  };
  await restoreRoles(refusing, { roles: [role], memberships: [] }, deviations);
  expect(deviations.all().map(({ consequence }) => consequence)).toEqual([
    'not done: ALTER DATABASE … SET "app.jwt_secret" TO …',
    `not done: ALTER DATABASE … SET "statement_timeout" TO '8s'`,
    'not done: ALTER ROLE "api" IN DATABASE … SET "app.jwt_secret" TO …',
    `not done: ALTER ROLE "api" IN DATABASE … SET "statement_timeout" TO '8s'`,
    'not done: ALTER ROLE "api" SET "app.jwt_secret" TO …',
    `not done: ALTER ROLE "api" SET "statement_timeout" TO '8s'`,
  ]);
});
