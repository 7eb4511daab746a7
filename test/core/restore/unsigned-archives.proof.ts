import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { manifestKey, signatureKey } from '../../../core/archive/keys';
import type { Manifest } from '../../../core/archive/manifest';
import { findArchive } from '../../../core/restore/select-archive';
import { listArchives } from '../../../lambdas/inspect/archives';
import { type ArchiveSite, createArchiveSite, manifestAt, readObject, replaceObject } from '../../factories/archive';
import { createManifestKey } from '../../support/archive-key';

const [OLDER, SLOT, NEWER] = ['2026-11-21T00:00:00Z', '2026-11-21T06:00:00Z', '2026-11-21T12:00:00Z'] as const;
const KEY = manifestKey('main', SLOT);

let site: ArchiveSite;
let manifest: Manifest;
let signature: string;

beforeAll(async () => {
  site = await createArchiveSite('main');
  await site.backup(OLDER);
});
afterAll(() => site.remove());

beforeEach(async () => {
  await removeObject(manifestKey('main', SLOT));
  await site.backup(SLOT);
  manifest = await manifestAt(site.store, KEY);
  signature = signatureKey('main', SLOT, manifest.attempt);
});

function removeObject(Key: string): Promise<unknown> {
  return site.store.s3.send(new DeleteObjectCommand({ Bucket: site.store.bucket, Key }));
}

const find = (choice: Parameters<typeof findArchive>[2]) => findArchive(site.store, 'main', choice);
const digest = async () =>
  createHash('sha256')
    .update(await readObject(site.store, KEY))
    .digest('hex');

test('the answer of a backup names the digest of its manifest', async () => {
  await expect(site.backup(SLOT)).resolves.toMatchObject({ manifestSha256: await digest() });
});

test('an archive without a signature is found only by its time and the digest of its manifest', async () => {
  await removeObject(signature);
  const sha256 = await digest();
  const unsigned = {
    code: 'archive_unauthenticated',
    message: expect.stringContaining(`manifestSha256 ${sha256}`) as string,
  };
  await expect(find({ archive: 'latest' })).rejects.toMatchObject(unsigned);
  await expect(find({ archive: SLOT })).rejects.toMatchObject(unsigned);
  await expect(find({ archive: SLOT, manifestSha256: '0'.repeat(64) })).rejects.toMatchObject({
    code: 'archive_unauthenticated',
    message: expect.stringContaining('not the 0000') as string,
  });
  await expect(find({ archive: 'latest', manifestSha256: sha256 })).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(find({ archive: SLOT, manifestSha256: sha256 })).resolves.toEqual(manifest);
  await expect(find({ archive: OLDER })).resolves.toMatchObject({ slot: OLDER });
});

test('an archive that another environment signed is refused', async () => {
  await replaceObject(site.store, signature, await createManifestKey().sign(await readObject(site.store, KEY)));
  await expect(find({ archive: SLOT })).rejects.toMatchObject({ code: 'archive_unauthenticated' });
});

test('a newer manifest that no backup signed is refused, not skipped, and a backup of its slot fails', async () => {
  const forged = JSON.stringify({ ...manifest, slot: NEWER, tables: [], rows: 0, bytes: 0, compressedBytes: 0 });
  const text = forged.replaceAll('20261121T060000Z', '20261121T120000Z');
  await replaceObject(site.store, manifestKey('main', NEWER), text);
  await expect(find({ archive: 'latest' })).rejects.toMatchObject({ code: 'archive_unauthenticated' });
  await expect(site.backup(NEWER)).rejects.toMatchObject({ code: 'archive_unauthenticated' });
  await removeObject(manifestKey('main', NEWER));
});

test('a listing says which archives are signed, and one that cannot be read hides no other', async () => {
  await replaceObject(site.store, signature, 'something else');
  await replaceObject(site.store, manifestKey('main', NEWER), 'no JSON');
  const { archives, unreadable } = await listArchives(site.store, 'main', 20);
  expect(archives.map(({ slot, signature: state }) => [slot, state])).toEqual([
    [SLOT, 'invalid'],
    [OLDER, 'valid'],
  ]);
  expect(unreadable).toEqual([{ slot: NEWER, problem: expect.stringContaining('is not JSON') as string }]);
  await removeObject(manifestKey('main', NEWER));
});
