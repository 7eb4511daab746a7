import { S3Client } from '@aws-sdk/client-s3';
import { type ArchiveSite, contentOf, createArchiveSite, listKeys } from '../factories/archive';
import { TABLE_OF_SEVERAL_UPLOAD_PARTS } from '../factories/backup-function';
import { type Fate, type ObjectStoreProxy, seededRandom, startObjectStoreProxy } from '../support/object-store-proxy';
import { testServices } from '../support/services';

const SLOT = '2026-11-21T06:00:00Z';
/** Attempts of the function's S3 client. */
const ATTEMPTS = 6;

let site: ArchiveSite;
let proxy: ObjectStoreProxy | undefined;
let s3: S3Client | undefined;

beforeEach(async () => {
  site = await createArchiveSite('main', TABLE_OF_SEVERAL_UPLOAD_PARTS);
});

afterEach(async () => {
  s3?.destroy();
  await proxy?.stop();
  await site.remove();
});

/** The site's bucket, behind a proxy that fails some calls. */
async function unreliableStore(decide: Parameters<typeof startObjectStoreProxy>[1]) {
  proxy = await startObjectStoreProxy(testServices().awsEndpoint, decide);
  s3 = new S3Client({
    endpoint: proxy.endpoint,
    region: 'eu-central-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: ATTEMPTS,
  });
  return { ...site.store, s3 };
}

test.each([1, 2, 3])('a backup succeeds while S3 fails a fifth of all calls (seed %i)', async (seed) => {
  const random = seededRandom(seed);
  const fates: Fate[] = ['refuse', 'reset', 'lose'];
  let failed = 0;
  const store = await unreliableStore(() => {
    if (random() >= 0.2) return 'pass';
    failed += 1;
    return fates[Math.floor(random() * fates.length)] ?? 'refuse';
  });
  expect(await site.backup(SLOT, { store, partBytes: 1024 * 1024 })).toMatchObject({ outcome: 'created' });
  expect(failed).toBeGreaterThan(2);
  // Restored over the reliable connection. A restore checks every hash, row count and foreign key.
  const restored = await site.restore();
  expect(await contentOf(restored.targetDatabase)).toEqual(await contentOf(site.source.name));
});

test.each<Fate>(['refuse', 'reset'])(
  'a backup fails, and says what to check, while S3 fails every call by "%s"',
  async (fate) => {
    const store = await unreliableStore(() => fate);
    await expect(site.backup(SLOT, { store })).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: true,
      message: expect.stringContaining("Check the health of S3 and the function's route to it") as string,
    });
    expect(proxy?.calls).toHaveLength(ATTEMPTS);
  },
);

test('a backup leaves no archive when S3 fails halfway, and the next run creates one', async () => {
  let uploads = 0;
  const store = await unreliableStore(({ method, path }) => {
    if (method === 'PUT' && path.includes('bulk')) uploads += 1;
    return uploads > 1 ? 'reset' : 'pass';
  });
  await expect(site.backup(SLOT, { store })).rejects.toMatchObject({ code: 'store_unavailable' });
  expect((await listKeys(site.store)).filter((key) => key.endsWith('manifest.json'))).toEqual([]);
  expect(await site.backup(SLOT)).toMatchObject({ outcome: 'created' });
});

test('an upload is recognised as complete when the answer to its completion was lost', async () => {
  let completions = 0;
  const store = await unreliableStore(({ method, path }) => {
    if (method !== 'POST' || !path.includes('uploadId=')) return 'pass';
    completions += 1;
    return completions === 1 ? 'lose' : 'pass';
  });
  expect(await site.backup(SLOT, { store, workers: 1 })).toMatchObject({ outcome: 'created' });
  expect(completions).toBeGreaterThan(1);
  expect(await site.drill()).toMatchObject({ kept: false });
});
