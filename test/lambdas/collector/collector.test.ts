import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { ListSecretVersionIdsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { mockClient } from 'aws-sdk-client-mock';
import { collectGauges, type CollectorDependencies } from '../../../lambdas/collector/core';
import { cleanupOverdueSeconds } from '../../../lambdas/collector/database-gauges';
import { applyEvents } from '../../../core/billing/apply-events';
import { failedSubscriptionsPercent } from '../../../core/billing/failed-subscriptions';
import { connectionsUsedPercent, databaseSizeBytes } from '../../../core/database/server-gauges';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { manifestKey, slotPrefix } from '../../../core/archive/keys';
import { stripeEvent, subscription } from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { silentLog } from '../../support/log';
import { createBucket, objectStore } from '../../support/object-store';

const HOUR = 3600;
const DAY = 24 * HOUR;
const SECRETS = {
  'billing-database': ['arn:billing'],
  'main-database': ['arn:main'],
  'stripe-api': ['arn:api'],
  'stripe-signing': ['arn:signing'],
};

let billing: TestDatabase;
let main: TestDatabase;
let bucket: string;
const rds = mockClient(RDSClient);
const secretsManager = mockClient(SecretsManagerClient);
const store = objectStore();

beforeEach(async () => {
  [billing, main, bucket] = await Promise.all([
    createTestDatabase('billing'),
    createTestDatabase('main'),
    createBucket(store),
  ]);
  rds.reset();
  secretsManager.reset();
  secretsManager
    .on(ListSecretVersionIdsCommand)
    .resolves({ Versions: [{ VersionStages: ['AWSCURRENT'], CreatedDate: new Date() }] });
});
afterEach(() => Promise.all([billing.drop(), main.drop()]));

/** A moment so many seconds from now. */
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000);
/** The slot that many hours ago. */
const slotBefore = (hours: number) =>
  `${inSeconds(-hours * HOUR)
    .toISOString()
    .slice(0, 19)}Z`;

/** Gauges by name and dimension, such as `DrillAge/main`, and what failed. */
async function collected(overrides: Partial<CollectorDependencies> = {}) {
  const source = { instanceIdentifier: '', allocatedStorageGib: 20 };
  const { gauges, failures } = await collectGauges({
    billing: { connector: billing.connector, instance: source },
    main: { connector: main.connector, instance: source },
    eventRetentionDays: 365,
    store: { s3: store, bucket },
    rds: new RDSClient({}),
    secretsManager: new SecretsManagerClient({}),
    copies: undefined,
    secretArns: SECRETS,
    statements: new Map(),
    clock: () => new Date(),
    log: silentLog,
    ...overrides,
  });
  const values = Object.fromEntries(
    gauges.map(({ name, dimensions, value }) => [[name, ...Object.values(dimensions ?? {})].join('/'), value]),
  );
  return { values, failures };
}

/** Within a minute: the clocks of the test, of Node and of PostgreSQL are one, but time passes. */
const about = (seconds: number) => ({
  asymmetricMatch: (value: number) => value >= seconds - 2 && value <= seconds + 60,
  toString: () => `about ${seconds}`,
});

const put = (key: string) => store.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: '{}' }));

async function percentWith(...statuses: string[]): Promise<number> {
  const client = await billing.client();
  const created = Math.floor(Date.now() / 1000);
  const events = statuses.map((status, index) =>
    stripeEvent('customer.subscription.updated', subscription({ id: `sub_${index}`, status, created })),
  );
  await applyEvents(
    client,
    stripeProvider,
    events.map((event) => ({ event, source: 'webhook', receivedAt: new Date() })),
  );
  return failedSubscriptionsPercent(client);
}

describe('shares and sizes', () => {
  test('without subscriptions none fail', async () => {
    expect(await percentWith()).toBe(0);
  });

  test('the share counts those behind with a payment among those alive, and not those that were canceled', async () => {
    expect(
      await percentWith(
        'active',
        'trialing',
        'past_due',
        'active',
        'canceled',
        'unpaid',
        'active',
        'incomplete_expired',
      ),
    ).toBe((100 * 3) / 7);
  });

  test('the size covers every database of the server', async () => {
    const client = await billing.client();
    const own = await client.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');

    expect(await databaseSizeBytes(client)).toBeGreaterThan(Number(own.rows[0]?.bytes));
  });

  test('the share of connections rises with each one, measured against what is not reserved', async () => {
    const client = await billing.client();
    const { rows } = await client.query<{ usable: number }>(
      `SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - current_setting('reserved_connections')::int AS usable`,
    );
    const one = 100 / (rows[0]?.usable ?? 0);
    // Other tests of the run come and go on the same server: compared with what it counts itself, a moment later.
    const { rows: counted } = await client.query<{ backends: number }>(
      'SELECT sum(numbackends)::int AS backends FROM pg_stat_database',
    );
    const percent = await connectionsUsedPercent(client);
    expect(percent / one).toBeCloseTo(Math.round(percent / one), 5);
    expect(Math.abs(percent / one - (counted[0]?.backends ?? 0))).toBeLessThan(20);
  });
});

describe('a new environment', () => {
  test('is as old as its databases: nothing is overdue on its first day', async () => {
    const { values, failures } = await collected();
    expect(failures).toEqual([]);
    for (const age of ['BackupAge/billing', 'BackupAge/main', 'DrillAge/billing', 'DrillAge/main']) {
      expect([age, values[age]]).toEqual([age, expect.any(Number)]);
      expect(values[age]).toBeLessThan(HOUR);
    }
    expect(values.ReconciliationAge).toBeLessThan(HOUR);
    expect(values.CleanupOverdue).toBe(0);
  });

  test('that never drilled, backed up or reconciled is 36 days behind on day 36', async () => {
    for (const database of [billing, main]) {
      const client = await database.client();
      await client.query(`UPDATE operations.database_identity SET stamped_at = now() - interval '36 days'`);
    }
    const { values } = await collected();
    expect(values).toMatchObject({
      'DrillAge/billing': about(36 * DAY),
      'DrillAge/main': about(36 * DAY),
      'BackupAge/billing': about(36 * DAY),
      'BackupAge/main': about(36 * DAY),
      ReconciliationAge: about(36 * DAY),
    });
  });

  test('whose migrations were forgotten says so, and never passes for healthy', async () => {
    const empty = await createTestDatabase('empty');
    try {
      const { values, failures } = await collected({
        main: { connector: empty.connector, instance: { instanceIdentifier: '', allocatedStorageGib: 20 } },
      });
      expect(failures.join('\n')).toContain(
        'backups of billing: The database carries no identity: apply its migrations',
      );
      // Nothing is due before the first migration: a deployment pages nobody.
      expect(values).toMatchObject({ 'BackupAge/billing': 0, 'DrillAge/billing': 0 });
      expect(values).toHaveProperty('ReconciliationAge');
    } finally {
      await empty.drop();
    }
  });
});

describe('ages', () => {
  test('a backup is as old as the newest slot with a manifest: attempts that failed do not count', async () => {
    await Promise.all([
      put(manifestKey('billing', slotBefore(13))),
      put(manifestKey('billing', slotBefore(7))),
      put(`${slotPrefix('billing', slotBefore(1))}attempt/public.t/00000.copy.zst`),
      put(manifestKey('main', slotBefore(25))),
    ]);
    const { values } = await collected();
    expect(values).toMatchObject({ 'BackupAge/billing': about(7 * HOUR), 'BackupAge/main': about(25 * HOUR) });
  });

  test('a database that is exported instead is as old as its newest export', async () => {
    const task = (hours: number) => `billing-${slotBefore(hours).replaceAll(/[-:]/g, '').toLowerCase()}`;
    await Promise.all([
      put(manifestKey('billing', slotBefore(50))),
      put(`exports/billing/${task(30)}/export_info.json`),
      put(`exports/billing/${task(5)}/export_info.json`),
      put('exports/billing/billing-by-hand/export_info.json'),
    ]);
    expect((await collected()).values).toMatchObject({ 'BackupAge/billing': about(5 * HOUR) });
  });

  test('only a drill that proved its archive counts, a slow one as well', async () => {
    const client = await billing.client();
    await client.query(
      `INSERT INTO operations.drills (started_at, outcome, duration_ms, target_ms, error) VALUES
         (now() - interval '40 days', 'passed', 1, 1, NULL), (now() - interval '33 days', 'slow', 2, 1, NULL),
         (now() - interval '3 days', 'failed', NULL, 1, 'store_unavailable'),
         (now() - interval '2 days', 'interrupted', NULL, 1, 'killed')`,
    );
    expect((await collected()).values).toMatchObject({ 'DrillAge/billing': about(33 * DAY) });
  });

  test('only a reconciliation that was complete and corrected counts, from its beginning', async () => {
    const client = await billing.client();
    await client.query(
      `INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at, finished_at, error)
       SELECT status, dry_run, at, at, CASE WHEN status <> 'interrupted' THEN now() END,
         CASE WHEN status = 'failed' THEN 'Stripe was away' END
       FROM (VALUES ('complete', false, now() - interval '30 hours'), ('complete', true, now() - interval '3 hours'),
         ('failed', false, now() - interval '2 hours'), ('interrupted', false, now() - interval '1 hour'))
         AS runs (status, dry_run, at)`,
    );
    expect((await collected()).values).toMatchObject({ ReconciliationAge: about(30 * HOUR) });
  });

  test('cleanup is overdue by what the oldest processed event is past its retention, and failed ones stay', async () => {
    const client = await billing.client();
    const created = Math.floor(Date.now() / 1000) - 500 * DAY;
    for (const [id, processedDaysAgo] of [
      ['evt_old', 368],
      ['evt_replayed', 10],
      ['evt_failed', 400],
    ] as const) {
      const event = { ...stripeEvent('customer.subscription.updated', subscription({ id: `sub_${id}` })), id, created };
      await applyEvents(client, stripeProvider, [{ event, source: 'webhook', receivedAt: new Date() }]);
      await client.query('UPDATE billing.webhook_events SET processed_at = $2 WHERE id = $1', [
        id,
        inSeconds(-processedDaysAgo * DAY),
      ]);
    }
    await client.query(
      `UPDATE billing.webhook_events SET status = 'failed', processed_at = NULL, error = 'x' WHERE id = 'evt_failed'`,
    );
    expect(await cleanupOverdueSeconds(client, 365, new Date())).toEqual(about(3 * DAY));
    expect(await cleanupOverdueSeconds(client, 370, new Date())).toBe(0);
  });

  test('a secret is as old as the value in use, whatever else was changed about it', async () => {
    secretsManager.on(ListSecretVersionIdsCommand, { SecretId: 'arn:signing' }).resolves({
      Versions: [
        { VersionStages: ['AWSPREVIOUS'], CreatedDate: inSeconds(-200 * DAY) },
        { VersionStages: ['AWSCURRENT'], CreatedDate: inSeconds(-91 * DAY) },
      ],
    });
    expect((await collected()).values).toMatchObject({
      'SecretAge/stripe-signing': about(91 * DAY),
      'SecretAge/billing-database': about(0),
    });
  });
});

describe('the machine', () => {
  const instance = (identifier: string, DBInstanceClass: string) =>
    rds
      .on(DescribeDBInstancesCommand, { DBInstanceIdentifier: identifier })
      .resolves({ DBInstances: [{ AllocatedStorage: 100, DBInstanceClass }] });
  const onRds = () => ({
    billing: {
      connector: billing.connector,
      instance: { instanceIdentifier: 'billing-1', allocatedStorageGib: 20 },
    },
  });

  test('tells its disk and its memory, asked of RDS by instance', async () => {
    instance('billing-1', 'db.m7g.xlarge');
    const { values } = await collected(onRds());
    expect(values).toMatchObject({
      'AllocatedStorageBytes/billing': 100 * 1024 ** 3,
      'InstanceMemoryBytes/billing': 16 * 1024 ** 3,
    });
  });

  test('that is not on RDS has the configured disk, and RDS is not asked', async () => {
    const { values } = await collected();
    expect(values).toMatchObject({ 'AllocatedStorageBytes/main': 20 * 1024 ** 3 });
    expect(values).not.toHaveProperty('InstanceMemoryBytes/main');
    expect(rds.calls()).toHaveLength(0);
  });

  test('of an unknown class is reported with what to do, and costs the other gauges nothing', async () => {
    instance('billing-1', 'db.z9.large');
    const { values, failures } = await collected(onRds());
    expect(failures).toEqual([expect.stringContaining('instance of billing: The memory of class db.z9.large')]);
    expect(values).toHaveProperty('ConnectionsUsedPercent/billing');
  });
});

test('a database that is away is one failure, and what is known without it is still measured', async () => {
  await put(manifestKey('billing', slotBefore(2)));
  const away = { ...billing.connector, connect: () => Promise.reject(new Error('Cannot connect to database billing')) };
  const { values, failures } = await collected({
    billing: { connector: away, instance: { instanceIdentifier: '', allocatedStorageGib: 20 } },
  });
  expect(failures).toEqual(['Cannot connect to database billing']);
  expect(values).toMatchObject({
    'BackupAge/billing': about(2 * HOUR),
    'DrillAge/main': expect.any(Number),
    'SecretAge/stripe-api': expect.any(Number),
  });
});
