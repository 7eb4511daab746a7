import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BackupReport } from '../../lambdas/backup/contract';
import { bundleFunctions } from '../../lib/operations/bundles';
import { LocalFunction } from '../../local/lambda-runtime';
import { startSecretsManager, type SecretsManager } from '../../local/secrets-manager';
import { type ArchiveSite, createArchiveSite, listKeys, manifestAt } from '../factories/archive';
import { type ObjectStoreProxy, type PassingCall, startObjectStoreProxy } from '../support/object-store-proxy';
import { testServices } from '../support/services';

const SLOT = '2026-11-21T06:00:00Z';
const LATER = '2026-11-21T12:00:00Z';
const HOUR_MS = 60 * 60 * 1000;
const MANIFEST = /\/manifest\.json/;
/** 14 MB that do not compress well, so that an upload takes several parts. */
const BULK = `CREATE TABLE operations.bulk AS SELECT n,
  (SELECT string_agg(encode(sha512((n || '/' || m)::bytea), 'base64'), '') FROM generate_series(1, 8) m) AS noise
  FROM generate_series(1, 20000) n`;

const folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-kills-'));
const running: LocalFunction[] = [];
let bundle: string;
let secrets: SecretsManager;
let site: ArchiveSite;
let proxy: ObjectStoreProxy;
let onCall: (call: PassingCall) => 'pass' | 'reset' | 'lose';

beforeAll(async () => {
  const bundles = bundleFunctions({ outdir: path.join(folder, 'lambdas') });
  bundle = bundles.find(({ name }) => name === 'backup')?.folder ?? '';
  const { cluster, awsEndpoint } = testServices();
  secrets = await startSecretsManager();
  secrets.put('database', { username: cluster.user, password: cluster.password });
  proxy = await startObjectStoreProxy(awsEndpoint, (call) => onCall(call));
});

afterAll(async () => {
  await Promise.all([secrets.stop(), proxy.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  onCall = () => 'pass';
  site = await createArchiveSite('main', BULK);
});

afterEach(async () => {
  for (const instance of running.splice(0)) instance.stop();
  await site.remove();
});

/** The bundled function in a process of its own, as Lambda runs it. */
function startFunction(): LocalFunction {
  const { cluster } = testServices();
  const database = (name: string) => ({
    [`${name}_DATABASE_HOST`]: cluster.host,
    [`${name}_DATABASE_PORT`]: String(cluster.port),
    [`${name}_DATABASE_NAME`]: site.source.name,
    [`${name}_DATABASE_SECRET_ARN`]: 'database',
    [`${name}_RETENTION_DAYS`]: '30',
    [`${name}_FREQUENCY_HOURS`]: '24',
    [`${name}_INSTANCE_IDENTIFIER`]: '',
  });
  const instance = new LocalFunction(
    {
      name: 'backup',
      arn: 'arn:aws:lambda:eu-central-1:111111111111:function:backup',
      folder: bundle,
      handler: 'index.handler',
      timeoutSeconds: 30,
      memoryMib: 512,
      reservedConcurrency: 1,
      environment: {
        ENVIRONMENT_NAME: 'test',
        LOG_LEVEL: 'INFO',
        NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem',
        ...database('BILLING'),
        ...database('MAIN'),
        ARCHIVE_BUCKET: site.store.bucket,
        STREAMING_LIMIT_GIB: '64',
        EXPORT_ROLE_ARN: '',
        EXPORT_KEY_ARN: '',
      },
      logLevel: 'INFO',
    },
    {
      region: 'eu-central-1',
      endpoints: { s3: proxy.endpoint, sqs: proxy.endpoint, secretsManager: secrets.endpoint },
      caFile: cluster.caFile,
      logDirectory: path.join(folder, 'logs'),
    },
  );
  running.push(instance);
  return instance;
}

/** Asks as Lambda does: again, when the former attempt's connections are still being cleared away. */
async function backUp(instance: LocalFunction, slot = SLOT): Promise<BackupReport> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await instance.invoke({ database: 'main', slot })) as BackupReport;
    } catch (error) {
      if (attempt === 20 || !String(error).includes('Another backup')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function manifests(): Promise<string[]> {
  return (await listKeys(site.store)).filter((key) => MANIFEST.test(key));
}

/** Runs the function and kills it with SIGKILL at the moment of a call to S3. */
async function killAt(isTheMoment: (call: PassingCall) => boolean, fate: 'reset' | 'lose'): Promise<void> {
  const victim = startFunction();
  let killed = false;
  onCall = (call) => {
    if (killed || !isTheMoment(call)) return 'pass';
    killed = true;
    victim.stop();
    return fate;
  };
  await expect(victim.invoke({ database: 'main', slot: SLOT })).rejects.toThrow('Runtime exited with error');
  expect(killed).toBe(true);
  onCall = () => 'pass';
}

test.each<[string, (call: PassingCall) => boolean, 'reset' | 'lose']>([
  ['looking for the archive', ({ method }) => method === 'GET', 'reset'],
  ['writing the first object', ({ method }) => method === 'PUT', 'lose'],
  ['beginning a large upload', ({ method, path: url }) => method === 'POST' && url.includes('uploads'), 'lose'],
  ['sending the second part of it', ({ path: url }) => url.includes('partNumber=2'), 'reset'],
  ['completing it', ({ method, path: url }) => method === 'POST' && url.includes('uploadId='), 'lose'],
  ['about to write the manifest', ({ method, path: url }) => method === 'PUT' && MANIFEST.test(url), 'reset'],
])(
  'killed while %s leaves no archive; the retry makes a good one, and the leftovers are swept',
  async (_, moment, fate) => {
    await killAt(moment, fate);
    expect(await manifests()).toEqual([]);

    const report = await backUp(startFunction());
    expect(report).toMatchObject({ outcome: 'created' });
    expect(await manifests()).toEqual([report.manifestKey]);
    // Checks every hash, row count and foreign key.
    expect(await site.drill()).toMatchObject({ kept: false });

    const { attempt } = await manifestAt(site.store, report.manifestKey);
    await site.backup(LATER, { now: () => new Date(Date.now() + 2 * HOUR_MS) });
    const ofSlot = (await listKeys(site.store)).filter((key) => key.startsWith('archives/main/20261121T060000Z/'));
    expect(ofSlot.filter((key) => !key.includes(attempt))).toEqual([report.manifestKey]);
  },
);

test('killed after the manifest was written leaves a good archive, and the retry finds it', async () => {
  await killAt(({ method, path: url }) => method === 'PUT' && MANIFEST.test(url), 'lose');
  expect(await backUp(startFunction())).toMatchObject({ outcome: 'already-exists' });
  // Checks every hash, row count and foreign key.
  expect(await site.drill()).toMatchObject({ kept: false });
});

test('two processes asked for the same slot at once make one archive between them', async () => {
  const functions = [startFunction(), startFunction()];
  await Promise.all(functions.map((instance) => instance.warm()));
  const reports = await Promise.all(functions.map((instance) => backUp(instance)));
  expect(reports.map(({ outcome }) => outcome).toSorted()).toEqual(['already-exists', 'created']);
  expect(await manifests()).toHaveLength(1);
  expect(await site.drill()).toMatchObject({ kept: false });
});
