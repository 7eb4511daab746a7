import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { escapeIdentifier } from 'pg';
import { createConnector, type DatabaseConnector, withConnection } from '../../core/database/connector';
import { applyMigrations } from '../../core/migrations/runner';
import type { CapturedSchema, Deviation } from '../../core/schema/contract';
import { compareSchemas, formatDifferences } from '../../core/schema/compare';
import { runRestore } from '../../lambdas/restore/core';
import { type Cluster, startCluster } from '../../local/postgres/cluster';
import { contentIn, contentOf, createForeignSite } from '../factories/archive';
import { createOddSchema, dropOddSchema } from '../factories/odd-schema';
import { restoreSchema } from '../factories/schema-restore';
import {
  asAdministrator,
  clusterSecrets,
  clusterTarget,
  createTestDatabase,
  type TestDatabase,
} from '../support/database';
import { noErasures } from '../support/erasures';
import { silentLog } from '../support/log';
import { createMasterRole, secretsOf } from '../support/roles';
import { captureOf, captureThrough, PG_DUMP_WORKER } from '../support/schema';

/** Objects of the odd schema that PostgreSQL lets only a superuser make, with what depends on them. */
const SUPERUSERS_OWN = [
  'ACCESS METHOD heap2: not made',
  'ACL of FUNCTION ext.digest(text, text): not set',
  'ACL of FUNCTION ext.gen_salt(text): not set',
  'ACL of TABLE pg_catalog.pg_authid: not set',
  'AGGREGATE app.my_pct(double precision, anyelement): not made',
  'EVENT TRIGGER odd_ddl: not made',
  'EXTENSION postgres_fdw: not made, and nothing of it in schema public',
  'FOREIGN TABLE app.ft: not made',
  'FUNCTION app.overload(text): made without LEAKPROOF',
  'INDEX app.lenops: not made',
  'OPERATOR CLASS app.text_len_ops: not made',
  'OPERATOR FAMILY app.text_len_ops: not made',
  'PUBLICATION TABLES IN SCHEMA pub_schema Mixed Case: not made',
  'PUBLICATION pub_all: not made',
  'SERVER remote: not made',
  'TABLE app.other_am: made without SET default_table_access_method = heap2;',
  'TYPE app.shell_only: not made',
  'USER MAPPING app_ro SERVER remote: not made',
];

const ODD_ROLES = ['Weird "Role" ü', 'app_ro', 'app_rw', 'odd_owner'];

/** What a role without superuser leaves out on a server that had none of the roles. */
const OF_A_MASTER = [
  ...SUPERUSERS_OWN,
  'ROLE odd_owner: made without LOGIN, CREATEDB, CREATEROLE',
  // The superuser of the source belongs to another server: no session here can act as it.
  'OWNER postgres: many objects stay with master',
  'DEFAULT ACL app.DEFAULT PRIVILEGES FOR TYPES: not set',
  'DEFAULT ACL DEFAULT PRIVILEGES FOR FUNCTIONS: not set',
  'DATABASE: not done: ALTER DATABASE … OWNER TO "postgres"',
].toSorted();

let source: TestDatabase;
let captured: CapturedSchema;
let restored: string;

beforeAll(async () => {
  source = await createTestDatabase('empty');
  restored = `${source.name}_restored`;
  await createOddSchema(source.name);
  captured = await captureOf(source);
});

afterAll(async () => {
  await dropOddSchema(source.name);
  await source.drop();
});

afterEach(async () => {
  await asAdministrator((client) => client.query(`DROP DATABASE IF EXISTS ${restored} WITH (FORCE)`));
});

/** The report without its reasons, and without the number of objects that a superuser owns. */
function summaryOf(deviations: readonly Deviation[]): string[] {
  return deviations
    .map(({ object, consequence }) =>
      `${object}: ${consequence}`.replace(/\d{2,} (objects stay with \w+): .*$/, 'many $1'),
    )
    .toSorted();
}

/** Rows by table, without the table of which only the extension knows. */
async function rowsOf(database: string): Promise<Record<string, string[]>> {
  const { 'app.joined_ext': _, ...content } = await contentOf(database);
  return content;
}

function superuser(database = 'postgres'): DatabaseConnector {
  return createConnector(clusterTarget(database), clusterSecrets(), 'test');
}

test('what cannot be archived is named with its reason', () => {
  expect(captured.facts.omissions.map(({ kind, object }) => `${kind}: ${object}`)).toEqual([
    'extension-rows: app.joined_ext',
    'subscription: sub',
    'user-mapping-options: user mapping for app_ro on server remote',
  ]);
  expect(captured.before + captured.after).not.toContain("p''w");
  expect(captured.facts.largeObjects).toBe(1);
});

test('every kind of object comes back as it was, with its rows, settings, owners and privileges', async () => {
  const { deviations } = await restoreSchema(superuser(), captured, restored, source.connector);
  expect(deviations).toMatchObject([{ object: 'ACL of TABLE pg_catalog.pg_authid' }]);
  const again = await captureThrough(superuser(restored));
  expect(formatDifferences(compareSchemas(captured, again))).toBe(
    'removed: ACL of TABLE pg_catalog.pg_authid\n  -GRANT SELECT ON TABLE pg_catalog.pg_authid TO app_ro;',
  );
  expect(await rowsOf(restored)).toEqual(await rowsOf(source.name));
  const views = 'SELECT status::text, n::int FROM app.mat ORDER BY status';
  const of = (name: string) => asAdministrator(async (client) => (await client.query(views)).rows, name);
  expect(await of(restored)).toEqual(await of(source.name));
});

describe('restored by a role that is no superuser, as the master role of RDS is,', () => {
  test('on the same server, all but what is a superuser’s or another role’s comes back', async () => {
    const master = await createMasterRole();
    const { deviations, roles } = await restoreSchema(master.connector, captured, restored, source.connector);
    expect(roles).toEqual({ created: [], joined: [] });
    expect(summaryOf(deviations)).toEqual(
      [
        ...SUPERUSERS_OWN,
        `OWNER Weird "Role" ü: 1 object stays with ${master.name}: FUNCTION touch() in app`,
        `OWNER app_rw: 1 object stays with ${master.name}: TYPE status in app`,
        `OWNER odd_owner: 2 objects stay with ${master.name}: SCHEMA Mixed Case, TABLE orders in app`,
        `OWNER postgres: many objects stay with ${master.name}`,
        'DEFAULT ACL app.DEFAULT PRIVILEGES FOR TABLES: not set',
        'DEFAULT ACL app.DEFAULT PRIVILEGES FOR TYPES: not set',
        'DEFAULT ACL DEFAULT PRIVILEGES FOR FUNCTIONS: not set',
        'DATABASE: not done: ALTER DATABASE … OWNER TO "postgres"',
      ].toSorted(),
    );
    expect(await rowsOf(restored)).toEqual(await rowsOf(source.name));
  });

  describe('on a server that has none of its roles,', () => {
    let second: Awaited<ReturnType<typeof startSecondCluster>>;
    let root: DatabaseConnector;
    let master: DatabaseConnector;

    beforeAll(async () => {
      second = await startSecondCluster();
      const target = {
        ...clusterTarget('postgres', 'main'),
        host: second.cluster.host,
        port: second.cluster.port,
      };
      root = createConnector(target, secretsOf(second.cluster.user, second.cluster.password), 'test');
      await withConnection(root, (client) => client.query(`CREATE ROLE master LOGIN CREATEDB CREATEROLE PASSWORD 'p'`));
      master = createConnector(target, secretsOf('master', 'p'), 'test');
    });
    // The next test needs it as empty as this one found it.
    afterEach(() =>
      withConnection(root, async (client) => {
        await client.query('DROP DATABASE IF EXISTS restored WITH (FORCE)');
        for (const role of ODD_ROLES) await client.query(`DROP ROLE IF EXISTS ${escapeIdentifier(role)}`);
      }),
    );
    afterAll(() => second.remove());

    test('they are made and own what is theirs', async () => {
      const { deviations, roles } = await restoreSchema(master, captured, 'restored', source.connector);
      expect(roles.created).toEqual(ODD_ROLES);
      expect(summaryOf(deviations)).toEqual(OF_A_MASTER);
      const differences = compareSchemas(captured, await captureThrough(root, 'restored'));
      const owners = differences.filter(({ object }) => object.startsWith('OWNER'));
      expect(owners.flatMap(({ lines }) => lines).filter((line) => /odd_owner|app_rw|Weird/.test(line))).toEqual([]);
      const rights = differences.filter(({ object }) => object.startsWith('ACL'));
      // Functions of a trusted extension belong to the superuser, whoever made the extension.
      expect(rights.map(({ object }) => object)).toEqual([
        'ACL of FUNCTION ext.digest(text, text)',
        'ACL of FUNCTION ext.gen_salt(text)',
        'ACL of TABLE pg_catalog.pg_authid',
      ]);
    });

    test('an archive of an adopted database is restored with every row, and the report lists what is not set', async () => {
      const site = await createForeignSite('');
      const { name } = site.source;
      try {
        await createOddSchema(name);
        await applyMigrations(await site.source.client(), 'main', site.migrations.directory, { adopt: name });
        await site.backup('2026-11-21T06:00:00Z');
        const report = await runRestore(
          {
            connector: master,
            store: site.store,
            migrationsDirectory: site.migrations.directory,
            pgDumpWorker: PG_DUMP_WORKER,
            erasures: noErasures,
            log: silentLog,
            clock: () => new Date(),
          },
          { archive: 'latest', targetDatabase: 'restored', afterwards: 'keep' },
        );
        expect(report.rolesCreated).toEqual(ODD_ROLES);
        expect(summaryOf(report.deviations)).toEqual(
          [...OF_A_MASTER, 'LARGE OBJECT 424242: owner and privileges are not set'].toSorted(),
        );
        expect(report.foreignKeysValidated).toBeGreaterThan(3);
        const { 'app.joined_ext': _, ...rows } = await withConnection(root, contentIn, 'restored');
        expect(rows).toEqual(await rowsOf(name));
      } finally {
        await dropOddSchema(name);
        await site.remove();
      }
    });
  });
});

async function startSecondCluster(): Promise<{ readonly cluster: Cluster; remove(): Promise<void> }> {
  const directory = await mkdtemp(path.join(tmpdir(), 'second-cluster-'));
  const cluster = await startCluster({ directory: path.join(directory, 'cluster'), durable: false, tls: true });
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(cluster.caFile ?? '', 'utf8')]);
  return {
    cluster,
    async remove() {
      await cluster.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
