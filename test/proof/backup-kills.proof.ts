import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BackupReport } from '../../lambdas/backup/contract';
import { bundleFunctions } from '../../lib/operations/bundles';
import type { LocalFunction } from '../../local/aws/lambda-runtime';
import { startSecretsManager, type SecretsManager } from '../../local/aws/secrets-manager';
import { type ArchiveSite, createArchiveSite, listKeys, manifestAt } from '../factories/archive';
import { startBackupFunction, TABLE_OF_SEVERAL_UPLOAD_PARTS } from '../factories/backup-function';
import { type ServedManifestKey, serveManifestKey } from '../support/archive-key';
import { type ObjectStoreProxy, type PassingCall, startObjectStoreProxy } from '../support/object-store-proxy';
import { testServices } from '../support/services';

const SLOT = '2026-11-21T06:00:00Z';
const LATER = '2026-11-21T12:00:00Z';
const HOUR_MS = 60 * 60 * 1000;
const MANIFEST = /\/manifest\.json/;

const folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-kills-'));
const running: LocalFunction[] = [];
let bundle: string;
let secrets: SecretsManager;
let kms: ServedManifestKey;
let site: ArchiveSite;
let proxy: ObjectStoreProxy;
let onCall: (call: PassingCall) => 'pass' | 'reset' | 'lose';

beforeAll(async () => {
  const bundles = bundleFunctions({ outdir: path.join(folder, 'lambdas') });
  bundle = bundles.find(({ name }) => name === 'backup')?.folder ?? '';
  [secrets, kms] = await Promise.all([startSecretsManager(), serveManifestKey()]);
  proxy = await startObjectStoreProxy(testServices().awsEndpoint, (call) => onCall(call));
});

afterAll(async () => {
  await Promise.all([secrets.stop(), kms.stop(), proxy.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  onCall = () => 'pass';
  site = await createArchiveSite('main', TABLE_OF_SEVERAL_UPLOAD_PARTS, kms.key);
});

afterEach(async () => {
  for (const instance of running.splice(0)) instance.stop();
  await site.remove();
});

function startFunction(): LocalFunction {
  const instance = startBackupFunction({
    bundle,
    folder,
    secrets,
    database: site.source.name,
    bucket: site.store.bucket,
    s3Endpoint: proxy.endpoint,
    kmsEndpoint: kms.endpoint,
  });
  running.push(instance);
  return instance;
}

/** Invokes the function as Lambda does: again while connections of the killed attempt are still closing. */
async function backUp(instance: LocalFunction, slot = SLOT): Promise<BackupReport> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await instance.invoke({ database: 'main', slot })) as BackupReport;
    } catch (error) {
      if (attempt === 100 || !String(error).includes('Another backup')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function manifests(): Promise<string[]> {
  return (await listKeys(site.store)).filter((key) => MANIFEST.test(key));
}

/** Runs the function and kills it with SIGKILL at a call to S3. */
async function killAt(isMoment: (call: PassingCall) => boolean, fate: 'reset' | 'lose'): Promise<void> {
  const victim = startFunction();
  let killed = false;
  onCall = (call) => {
    if (killed || !isMoment(call)) return 'pass';
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
  'a backup killed while %s leaves no archive, the retry creates one, and the leftovers are swept',
  async (_, moment, fate) => {
    await killAt(moment, fate);
    expect(await manifests()).toEqual([]);

    const report = await backUp(startFunction());
    expect(report).toMatchObject({ outcome: 'created' });
    expect(await manifests()).toEqual([report.manifestKey]);
    // A restore checks every hash, row count and foreign key.
    expect(await site.drill()).toMatchObject({ kept: false });

    const { attempt } = await manifestAt(site.store, report.manifestKey);
    const clock = () => new Date(Date.now() + 2 * HOUR_MS);
    await site.backup(LATER, { clock, otherClocks: async () => [clock()] });
    const ofSlot = (await listKeys(site.store)).filter((key) => key.startsWith('archives/main/20261121T060000Z/'));
    expect(ofSlot.filter((key) => !key.includes(attempt))).toEqual([report.manifestKey]);
  },
);

test('a backup killed after writing the manifest leaves a good archive, which the retry finds', async () => {
  await killAt(({ method, path: url }) => method === 'PUT' && MANIFEST.test(url), 'lose');
  expect(await backUp(startFunction())).toMatchObject({ outcome: 'already-exists' });
  // A restore checks every hash, row count and foreign key.
  expect(await site.drill()).toMatchObject({ kept: false });
});

test('two processes that archive the same slot concurrently create one archive', async () => {
  const functions = [startFunction(), startFunction()];
  await Promise.all(functions.map((instance) => instance.warm()));
  const reports = await Promise.all(functions.map((instance) => backUp(instance)));
  expect(reports.map(({ outcome }) => outcome).toSorted()).toEqual(['already-exists', 'created']);
  expect(await manifests()).toHaveLength(1);
  expect(await site.drill()).toMatchObject({ kept: false });
});
