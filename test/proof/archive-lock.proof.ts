import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { extendNewestLock } from '../../lambdas/backup/extend-lock';
import { ERASURE_PREFIX } from '../../core/erasure/contract';
import { openErasureLedger } from '../../core/erasure/ledger';
import { schemaKey } from '../../core/archive/keys';
import { type Manifest } from '../../core/archive/manifest';
import { writeManifest } from '../../core/archive/signed-manifest';
import { type ArchiveSite, contentOf, createArchiveSite, manifestAt } from '../factories/archive';
import { emptyBucket } from '../../lib/stacks/empty-bucket';
import { silentLog } from '../support/log';
import { TABLE_OF_SEVERAL_UPLOAD_PARTS } from '../factories/backup-function';
import { type ObjectStoreProxy, type PassingCall, startObjectStoreProxy } from '../support/object-store-proxy';
import { goTool, VERSITYGW } from './tools';
import { type ObjectLockServer, startVersitygw } from './versitygw';

const DAY_MS = 24 * 60 * 60 * 1000;
const HOUR_MS = DAY_MS / 24;

const binary = goTool(VERSITYGW);

(binary ? describe : describe.skip)('on a server that enforces locks, checksums and conditions', () => {
  let server: ObjectLockServer;
  let site: ArchiveSite;
  let bucket: string;

  beforeAll(async () => {
    server = await startVersitygw(binary ?? '');
  });

  afterAll(async () => {
    await server.stop();
  });

  beforeEach(async () => {
    bucket = await server.createBucket();
    site = await createArchiveSite('main', TABLE_OF_SEVERAL_UPLOAD_PARTS);
  });

  afterEach(async () => {
    await site.remove();
  });

  /** Slots of today, because S3 refuses a lock that ends in the past. */
  const slotOf = (daysAgo = 0) => new Date(Date.now() - daysAgo * DAY_MS).toISOString();
  const store = (s3: S3Client = server.role) => ({ s3, bucket, signingKey: site.store.signingKey });
  const backUp = (overrides: Parameters<ArchiveSite['backup']>[1] = {}, slot = slotOf()) =>
    site.backup(slot, { store: store(), retentionDays: 30, ...overrides });

  async function versions(key: string) {
    const listed = await server.root.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: key }));
    return { versions: listed.Versions ?? [], markers: listed.DeleteMarkers ?? [] };
  }

  /** Objects of a new archive: the manifest, a small object, and one of a multipart upload. */
  async function archivedKeys(): Promise<{ manifest: string; small: string; multipart: string }> {
    const report = await backUp();
    const { tables } = await manifestAt(store(server.root), report.manifestKey);
    const keyOf = (name: string) => tables.find((table) => table.name === name)?.parts[0]?.key ?? '';
    return { manifest: report.manifestKey, small: keyOf('database_identity'), multipart: keyOf('bulk') };
  }

  test('an environment that is destroyed leaves nothing in its bucket: no locked object, no former version, no upload', async () => {
    const { manifest } = await archivedKeys();
    await server.root.send(new DeleteObjectCommand({ Bucket: bucket, Key: manifest }));
    await server.root.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'archives/main/unfinished' }));
    const before = await versions('');
    expect(before.versions.length).toBeGreaterThan(3);
    expect(before.markers).toHaveLength(1);

    expect(await emptyBucket(server.root, bucket)).toBe(before.versions.length + 1);
    expect(await versions('')).toEqual({ versions: [], markers: [] });
    const { Uploads = [] } = await server.root.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    expect(Uploads).toEqual([]);
  });

  test('every object of an archive is locked until its retention ends, including multipart uploads', async () => {
    const keys = await archivedKeys();
    const head = await server.root.send(new HeadObjectCommand({ Bucket: bucket, Key: keys.multipart }));
    expect(head.ETag).toMatch(/-2"$/);
    for (const key of Object.values(keys)) {
      const { Retention } = await server.root.send(new GetObjectRetentionCommand({ Bucket: bucket, Key: key }));
      expect(Retention?.Mode).toBe('GOVERNANCE');
      const days = ((Retention?.RetainUntilDate?.getTime() ?? 0) - Date.now()) / DAY_MS;
      expect(days).toBeGreaterThan(29.9);
      expect(days).toBeLessThanOrEqual(30);
    }
  });

  test.each(['manifest', 'small', 'multipart'] as const)(
    'the role of the function can neither destroy a locked %s nor shorten its lock, even with a bypass header',
    async (kind) => {
      const Key = (await archivedKeys())[kind];
      const VersionId = (await versions(Key)).versions[0]?.VersionId;
      for (const BypassGovernanceRetention of [false, true]) {
        const attempts = [
          new DeleteObjectCommand({ Bucket: bucket, Key, VersionId, BypassGovernanceRetention }),
          new PutObjectRetentionCommand({
            Bucket: bucket,
            Key,
            VersionId,
            BypassGovernanceRetention,
            Retention: { Mode: 'GOVERNANCE', RetainUntilDate: new Date(Date.now() + HOUR_MS) },
          }),
        ];
        for (const attempt of attempts) {
          await expect(server.role.send(attempt)).rejects.toMatchObject({
            name: 'AccessDenied',
          });
        }
      }
      expect((await versions(Key)).versions.map((version) => version.VersionId)).toEqual([VersionId]);
    },
  );

  test('a principal that may delete versions cannot destroy a locked one without a bypass header', async () => {
    for (const Key of Object.values(await archivedKeys())) {
      const VersionId = (await versions(Key)).versions[0]?.VersionId;
      const destroy = server.root.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }));
      await expect(destroy).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
    }
  });

  test('an object that the function deletes stays locked, and is restored by removing its delete marker', async () => {
    const { multipart: Key } = await archivedKeys();
    await server.role.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    const hidden = await versions(Key);
    expect(hidden.versions).toHaveLength(1);
    expect(hidden.markers).toHaveLength(1);
    const VersionId = hidden.markers[0]?.VersionId;
    await server.root.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }));
    await expect(site.restore('latest', { store: store() })).resolves.toMatchObject({ database: 'main' });
  });

  test('the role of the function extends the lock of the last good archive before it ends', async () => {
    const keys = Object.values(await archivedKeys());
    const endOf = async (Key: string) => {
      const { Retention } = await server.root.send(new GetObjectRetentionCommand({ Bucket: bucket, Key }));
      return Math.round(((Retention?.RetainUntilDate?.getTime() ?? 0) - Date.now()) / DAY_MS);
    };
    const after = (days: number) =>
      extendNewestLock(
        { store: store(), retentionDays: 30, log: silentLog, clock: () => new Date(Date.now() + days * DAY_MS) },
        'main',
      );
    await after(10);
    for (const key of keys) expect(await endOf(key)).toBe(30);
    await after(25);
    for (const key of keys) expect(await endOf(key)).toBe(55);
    await expect(site.restore('latest', { store: store() })).resolves.toMatchObject({ database: 'main' });
  });

  test('expiry deletes archives past their retention without destroying a version', async () => {
    const old = await backUp();
    const clock = () => new Date(Date.now() + 31 * DAY_MS);
    const overrides = { clock, otherClocks: async () => [clock()] };
    const report = await backUp(overrides, new Date(Date.now() + 31 * DAY_MS).toISOString());
    expect(report).toMatchObject({ expiredArchives: 1, housekeepingFailed: false });
    await expect(
      server.role.send(new GetObjectCommand({ Bucket: bucket, Key: old.manifestKey })),
    ).rejects.toMatchObject({ name: 'NoSuchKey' });
    const left = await versions(old.manifestKey);
    expect([left.versions.length, left.markers.length]).toEqual([1, 1]);
    // Deleted objects are not listed: they are not swept, or expired, a second time.
    const next = await backUp(overrides, new Date(Date.now() + 31 * DAY_MS + HOUR_MS).toISOString());
    expect(next).toMatchObject({ expiredArchives: 0, sweptLeftovers: 0 });
  });

  test('an object that was damaged in transit is refused', async () => {
    const body = Buffer.from('rows');
    const ChecksumSHA256 = createHash('sha256').update('other rows').digest('base64');
    const damaged = new PutObjectCommand({ Bucket: bucket, Key: 'archives/main/x', Body: body, ChecksumSHA256 });
    await expect(server.role.send(damaged)).rejects.toMatchObject({ $metadata: { httpStatusCode: 400 } });
  });

  test('one of eight concurrent attempts publishes the manifest of a slot, and the others receive that manifest', async () => {
    const report = await backUp();
    const manifest = await manifestAt(store(server.root), report.manifestKey);
    const contested = new Date(Date.now() + HOUR_MS).toISOString().replace(/\.\d+/, '');
    if (manifest.version === 1) throw new Error('The archive has no schema');
    const { before, after, facts } = manifest.schema;
    const keyOf = (attempt: string, section: 'before' | 'after') => schemaKey('main', contested, attempt, section);
    const candidates = Array.from({ length: 8 }, (_, index): Manifest => ({
      ...manifest,
      slot: contested,
      attempt: `attempt-${index}`,
      schema: {
        before: { ...before, key: keyOf(`attempt-${index}`, 'before') },
        after: { ...after, key: keyOf(`attempt-${index}`, 'after') },
        facts,
      },
      tables: [],
      rows: 0,
      bytes: 0,
      compressedBytes: 0,
    }));
    const retainUntil = new Date(Date.now() + DAY_MS);
    const winners = await Promise.all(candidates.map((candidate) => writeManifest(store(), candidate, retainUntil)));
    expect(new Set(winners.map(({ manifest: { attempt } }) => attempt)).size).toBe(1);
    expect(winners.filter(({ manifest: { attempt } }, index) => attempt === `attempt-${index}`)).toHaveLength(1);
  });

  describe('behind an unreliable connection', () => {
    let proxy: ObjectStoreProxy;
    let decide: (call: PassingCall) => 'pass' | 'lose' | 'reset';

    beforeEach(async () => {
      decide = () => 'pass';
      proxy = await startObjectStoreProxy(server.endpoint, (call) => decide(call));
    });

    afterEach(async () => {
      await proxy.stop();
    });

    test('a manifest whose answer was lost is recognised as its own, not as that of another attempt', async () => {
      let lost = 0;
      decide = ({ method, path }) => {
        if (lost > 0 || method !== 'PUT' || !path.includes('manifest.json')) return 'pass';
        lost += 1;
        return 'lose';
      };
      expect(await backUp({ store: store(server.roleAt(proxy.endpoint)) })).toMatchObject({ outcome: 'created' });
      expect(lost).toBe(1);
    });

    test('an upload that fails permanently leaves no part behind', async () => {
      decide = ({ path }) => (path.includes('partNumber=2') ? 'reset' : 'pass');
      await expect(backUp({ store: store(server.roleAt(proxy.endpoint)) })).rejects.toMatchObject({
        code: 'store_unavailable',
      });
      // The SDK rejects before its clean-up has run.
      let open = 1;
      for (let look = 0; look < 50 && open > 0; look += 1) {
        const listed = await server.root.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
        open = listed.Uploads?.length ?? 0;
        if (open > 0) await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(open).toBe(0);
    });
  });

  test('a backup aborts unfinished uploads of a killed run, and none that may still be running', async () => {
    const Key = 'archives/main/20261120T060000Z/dead/main.users/00000.copy.zst';
    await server.role.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
    expect(await backUp()).toMatchObject({ sweptLeftovers: 0 });
    const later = new Date(Date.now() + 2 * HOUR_MS);
    expect(await backUp({ clock: () => later, otherClocks: async () => [later] }, later.toISOString())).toMatchObject({
      sweptLeftovers: 1,
    });
    const open = await server.root.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    expect(open.Uploads ?? []).toEqual([]);
  });

  test('a backup finds the uploads of a killed run on a server that lists them by exact key only', async () => {
    const killed = server.roleAt(server.endpoint);
    // Every part that is begun stays open, as if the function were killed there.
    killed.middlewareStack.add(
      (next, context) => async (args) => {
        const { Key = '' } = args.input as { Key?: string };
        if (context.commandName !== PutObjectCommand.name || !Key.endsWith('.copy.zst')) return next(args);
        await server.role.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
        throw new Error('killed');
      },
      { step: 'initialize' },
    );
    await expect(backUp({ store: store(killed) })).rejects.toThrow('killed');
    const unfinished = async () =>
      (await server.root.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? [];
    expect((await unfinished()).length).toBeGreaterThan(0);

    const exactKeysOnly = server.roleAt(server.endpoint);
    // As MinIO does, which finds no upload by a prefix.
    exactKeysOnly.middlewareStack.add(
      (next, context) => async (args) => {
        const input = args.input as { Prefix?: string };
        const byPrefix =
          context.commandName === ListMultipartUploadsCommand.name && !input.Prefix?.endsWith('.copy.zst');
        return next(byPrefix ? { ...args, input: { ...input, Prefix: 'no-such-key' } } : args);
      },
      { step: 'initialize' },
    );
    const later = new Date(Date.now() + 2 * HOUR_MS);
    const clocks = { clock: () => later, otherClocks: async () => [later] };
    expect(await backUp({ store: store(exactKeysOnly), ...clocks }, later.toISOString())).toMatchObject({
      outcome: 'created',
      housekeepingFailed: false,
    });
    expect(await unfinished()).toEqual([]);
  });

  test('an archive on this server is restored row for row', async () => {
    const report = await backUp();
    const restored = await site.restore(report.slot, { store: store() });
    expect(await contentOf(restored.targetDatabase)).toEqual(await contentOf(site.source.name));
  });

  test('an entry of the ledger of erasures is read although a delete marker hides it, or another object was written over it', async () => {
    const secrets = {
      read: async (_: string, schema: { parse: (value: unknown) => unknown }) => schema.parse({ key: 'k'.repeat(64) }),
    };
    const ledger = openErasureLedger(store(server.root), secrets as never, { ERASURE_KEY_SECRET_ARN: 'erasures' });
    const entries = [await ledger.append([], new Date()), await ledger.append([], new Date(Date.now() + HOUR_MS))];
    const [hidden = '', overwritten = ''] = entries.map(({ id }) => `${ERASURE_PREFIX}${id}.json`);
    await server.root.send(new DeleteObjectCommand({ Bucket: bucket, Key: hidden }));
    await server.root.send(new PutObjectCommand({ Bucket: bucket, Key: overwritten, Body: '{}' }));
    expect((await versions(ERASURE_PREFIX)).markers).toHaveLength(1);
    expect((await ledger.read()).entries).toEqual(entries);
  });
});
