import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createHash } from 'node:crypto';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Client } from 'pg';
import type { RestoreReport } from '../../lambdas/restore/contract';
import type { EraseReport } from '../../lambdas/erasure/contract';
import { type Cluster, startCluster } from '../../local/postgres/cluster';
import { normaliseSlot } from '../../core/archive/slot';
import { BUSINESS_TABLES, businessRows } from '../factories/business-rows';
import { type BundledFunctions, startBundledFunctions } from '../factories/bundled-functions';
import { drillInto, SECOND_KEY_ARN } from '../factories/region-drill';
import { placesOf, plantedPerson } from '../factories/planted-person';
import { deliver } from '../factories/stripe-work';
import { createBucket, objectStore } from '../support/object-store';

/** Bundles, a second cluster, and ten invocations of functions in processes of their own. */
jest.setTimeout(180_000);

let first: BundledFunctions;
let second: Cluster;
let folder: string;
const s3 = objectStore();

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-second-region-'));
  [first, second] = await Promise.all([
    startBundledFunctions(),
    startCluster({ directory: path.join(folder, 'cluster'), tls: true, durable: false }),
  ]);
});
afterAll(async () => {
  s3.destroy();
  await Promise.all([first.stop(), second.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

async function keysOf(bucket: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key = '' }) => Key);
}

/** What the replication rule of the archive bucket does: every object, whatever its prefix. */
async function replicate(client: S3Client, from: string, to: string): Promise<void> {
  for (const key of await keysOf(from)) {
    await client.send(new CopyObjectCommand({ Bucket: to, Key: key, CopySource: `${from}/${key}` }));
  }
}

async function connect(database: string): Promise<Client> {
  const { host, port, user, password } = second;
  const client = new Client({ host, port, user, password, database, ssl: { rejectUnauthorized: false } });
  await client.connect();
  return client;
}

test('without the first region, both databases come back from the second bucket alone, and Stripe has what they lack', async () => {
  const { state } = first.stripe;
  const times: [string, number][] = [];
  const timed = async <T>(step: string, work: () => Promise<T>): Promise<T> => {
    const startedMs = performance.now();
    const result = await work();
    times.push([step, performance.now() - startedMs]);
    return result;
  };

  // The first region: a business, archives, then an erased person, and events that no archive has.
  const live = await first.databases.billing.client();
  const application = await first.databases.main.client();
  const person = plantedPerson('one');
  const subscriptions = Array.from({ length: 5 }, () => state.createSubscription());
  await deliver(live, [...subscriptions, ...subscriptions.map(({ object }) => state.payInvoice(object.id))]);
  await deliver(
    live,
    person.events.map((event) => ({ event })),
  );
  await application.query(`CREATE TABLE public.courses (id int PRIMARY KEY, title text)`);
  await application.query(`INSERT INTO public.courses SELECT n, 'course ' || n FROM generate_series(1, 500) AS n`);
  const slot = new Date().toISOString();
  for (const database of ['billing', 'main']) await first.start('backup').invoke({ database, slot });
  const erased = (await first.start('erasure', undefined, { timeoutSeconds: 300 }).invoke({
    action: 'erase',
    subject: { customer: person.customerId },
    typed: { confirm: person.customerId },
  })) as EraseReport;
  expect(erased).toMatchObject({ dryRun: false, continueFrom: null });
  const late = [state.createSubscription(), state.cancelSubscription(subscriptions[0]?.object.id ?? '')];
  await deliver(live, late);
  const expected = await businessRows(live);
  const copies = await createBucket(s3);
  const bucket = first.environments.backup?.ARCHIVE_BUCKET ?? '';
  await replicate(s3, bucket, copies);

  // The second region: empty databases, and a key pair of its own. The quarterly drill restores there, and leaves nothing.
  const administrator = await connect('postgres');
  for (const name of ['billing', 'main']) await administrator.query(`CREATE DATABASE ${name}`);
  const drilled = await drillInto({ first, second, copies, bucket });
  expect(drilled.record).toMatchObject({ outcome: 'passed', gaps: [] });
  expect(drilled.record.restored).toEqual([
    expect.objectContaining({ database: 'billing', archive: normaliseSlot(slot) }),
    expect.objectContaining({ database: 'main', archive: normaliseSlot(slot) }),
  ]);
  expect(drilled.record.restored[0]?.rowsErased).toBeGreaterThan(10);
  expect(drilled.left).toEqual({ objects: [], key: 'own' });
  const { rows: left } = await administrator.query<{ datname: string }>('SELECT datname FROM pg_database ORDER BY 1');
  expect(left.map(({ datname }) => datname)).toEqual(['billing', 'main', 'postgres', 'template0', 'template1']);
  await administrator.end();

  // It is lost: databases, bucket and key pair. What comes now, nobody receives.
  const lostAt = Date.now();
  for (const key of await keysOf(bucket)) await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
  await Promise.all([first.databases.billing.drop(), first.databases.main.drop()]);
  const missed = [state.createSubscription(), state.createCharge()];

  // The second region has the bucket of copies, and the copy of the secret of erasures.
  first.secrets.put('second', { username: second.user, password: second.password });
  const start = (
    stem: string,
    names: { readonly billing: string; readonly main: string } = { billing: 'billing', main: 'main' },
  ) => {
    const place = (database: 'billing' | 'main') => {
      const prefix = `${database.toUpperCase()}_DATABASE`;
      return {
        [`${prefix}_HOST`]: second.host,
        [`${prefix}_PORT`]: String(second.port),
        [`${prefix}_NAME`]: names[database],
        [`${prefix}_SECRET_ARN`]: 'second',
      };
    };
    const environment = { ...first.environments[stem], ...place('billing'), ...place('main') };
    if ('ARCHIVE_BUCKET' in environment) environment.ARCHIVE_BUCKET = copies;
    if ('ARCHIVE_SIGNING_KEY_ARN' in environment) environment.ARCHIVE_SIGNING_KEY_ARN = SECOND_KEY_ARN;
    return first.start(stem, environment, { timeoutSeconds: 300, caFile: second.caFile ?? '' });
  };

  const restored: Record<string, RestoreReport> = {};
  for (const database of ['billing', 'main']) {
    const key =
      (await keysOf(copies)).find(
        (each) => each.startsWith(`archives/${database}/`) && each.endsWith('/manifest.json'),
      ) ?? '';
    const object = await s3.send(new GetObjectCommand({ Bucket: copies, Key: key }));
    const manifest = Buffer.from((await object.Body?.transformToByteArray()) ?? []);
    const request = { database, archive: slot, targetDatabase: `${database}_restored`, afterwards: 'keep' };
    // The key pair of this region did not sign it: it is refused until a person has checked it by the public key that was kept.
    if (database === 'billing') {
      await expect(start('restore').invoke(request)).rejects.toThrow('is not what the backup signed');
    }
    const manifestSha256 = createHash('sha256').update(manifest).digest('hex');
    restored[database] = (await timed(`restore ${database}`, () =>
      start('restore').invoke({ ...request, manifestSha256 }),
    )) as RestoreReport;
  }
  expect(restored.billing).toMatchObject({ outcome: 'restored', kept: true });
  expect(restored.billing?.rowsErased).toBeGreaterThan(10);
  const names = { billing: 'billing_restored', main: 'main_restored' };
  for (const database of ['billing', 'main'] as const) {
    const verified = await timed(`verify ${database}`, () => start('verify', names).invoke({ database }));
    expect(verified).toMatchObject({ sound: true, problems: [] });
  }
  const from = new Date(Date.parse(restored.billing?.archivedAt ?? '') - 3_600_000).toISOString();
  const replayed = await timed('replay', () =>
    start('replay', names).invoke({ action: 'replay', from, dryRun: false }),
  );
  expect(replayed).toMatchObject({ outcomes: { processed: late.length + missed.length } });
  const reconciled = await timed('reconcile', () =>
    start('reconciliation', names).invoke({ dryRun: false, settleSeconds: 0 }),
  );
  expect(reconciled).toMatchObject({ eventsMissed: 0 });
  const rtoMs = Date.now() - lostAt;

  const recovered = await connect('billing_restored');
  const recoveredMain = await connect('main_restored');
  try {
    const found = await businessRows(recovered);
    for (const name of BUSINESS_TABLES) expect(found[name]).toEqual(expect.arrayContaining(expected[name] ?? []));
    expect(found.subscriptions?.length).toBe((expected.subscriptions?.length ?? 0) + 1);
    expect(await placesOf(recovered, person.marker)).toEqual([]);
    expect((await recoveredMain.query('SELECT FROM public.courses')).rowCount).toBe(500);
  } finally {
    await Promise.all([recovered.end(), recoveredMain.end()]);
  }
  const rows = times.map(([step, ms]) => `  ${step.padEnd(18)}${(ms / 1000).toFixed(1).padStart(6)} s`);
  process.stdout.write(
    `${drilled.printed}region loss: newest archive ${((lostAt - Date.parse(slot)) / 1000).toFixed(1)} s old, ${late.length + missed.length} events from Stripe, none lost\n` +
      `${rows.join('\n')}\n  ${'until reconciled'.padEnd(18)}${(rtoMs / 1000).toFixed(1).padStart(6)} s\n`,
  );
});
