import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { VerifiedObjects, verifyObjects } from '../../../core/restore/verified-objects';
import type { ArchivedPart, Manifest } from '../../../core/archive/manifest';
import { type ArchiveSite, createArchiveSite, manifestAt, readObject, replaceObject } from '../../factories/archive';

let site: ArchiveSite;
let manifest: Manifest;
let parts: ArchivedPart[];

beforeEach(async () => {
  site = await createArchiveSite('billing');
  const { manifestKey } = await site.backup('2026-11-21T06:00:00Z');
  manifest = await manifestAt(site.store, manifestKey);
  parts = manifest.tables.flatMap((table) => table.parts);
});

afterEach(() => site.remove());

async function readAll(objects: VerifiedObjects, part: ArchivedPart): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const sink = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(piece);
      done();
    },
  });
  await pipeline([...(await objects.open(part)), sink]);
  return Buffer.concat(pieces);
}

/** How often each object was read, by its key. */
function countReads(): Map<string, number> {
  const reads = new Map<string, number>();
  site.store.s3.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const { Key: key } = args.input as { readonly Key?: string };
        if (commandName === 'GetObjectCommand' && key !== undefined) reads.set(key, (reads.get(key) ?? 0) + 1);
        return next(args);
      },
    { step: 'initialize' },
  );
  return reads;
}

test('verification caches an archive that fits into memory, so that it is read once', async () => {
  const originals = await Promise.all(parts.map((part) => readObject(site.store, part.key)));
  const reads = countReads();
  const objects = await verifyObjects(site.store, manifest, parts);
  for (const [index, part] of parts.entries()) expect(await readAll(objects, part)).toEqual(originals[index]);
  expect([...reads]).toEqual(expect.arrayContaining(parts.map(({ key }) => [key, 1])));
});

test('verification caches no more bytes than allowed', async () => {
  const reads = countReads();
  const bytes = parts.map((part) => part.compressedBytes);
  const half = Math.floor(bytes.reduce((sum, size) => sum + size, 0) / 2);
  const objects = await verifyObjects(site.store, manifest, parts, half);
  for (const part of parts) await readAll(objects, part);
  const once = parts.filter(({ key }) => reads.get(key) === 1).map((part) => part.compressedBytes);
  expect(once.length).toBeGreaterThan(0);
  expect(once.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(half);
  expect([...reads.values()]).toEqual(expect.arrayContaining([1, 2]));
});

test('verification refuses an object that has grown, once it has read more bytes than were written', async () => {
  const [part] = parts;
  if (!part) throw new Error('The archive has no object');
  await replaceObject(site.store, part.key, Buffer.alloc(part.compressedBytes + 1));
  const verifying = new VerifiedObjects(site.store, Infinity).verify(part, new AbortController().signal);
  await expect(verifying).rejects.toMatchObject({ code: 'archive_damaged' });
  await expect(verifying).rejects.toThrow(`it has more than ${part.compressedBytes} bytes`);
});

test('an object that changes between verification and loading is never loaded in its changed form', async () => {
  const [part] = parts;
  if (!part) throw new Error('The archive has no object');
  const original = await readObject(site.store, part.key);
  const cached = await verifyObjects(site.store, manifest, parts);
  const uncached = await verifyObjects(site.store, manifest, parts, 0);
  await replaceObject(site.store, part.key, Buffer.from(original.map((byte, at) => (at === 9 ? byte ^ 1 : byte))));
  expect(await readAll(cached, part)).toEqual(original);
  const refusal = readAll(uncached, part);
  await expect(refusal).rejects.toMatchObject({ code: 'archive_damaged' });
  await expect(refusal).rejects.toThrow(part.key);
});
