import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  NoSuchKey,
  NoSuchUpload,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { parseManifest } from '../../../core/archive/manifest';
import { abortUploads, removeObjects } from '../../../core/archive/removal';
import { writeManifest } from '../../../core/archive/signed-manifest';
import { createManifestKey } from '../../support/archive-key';

const s3Mock = mockClient(S3Client);
const store = { s3: new S3Client({ region: 'eu-central-1' }), bucket: 'archives', signingKey: createManifestKey() };

beforeEach(() => {
  s3Mock.reset();
});

function refusal(name: string, status: number): S3ServiceException {
  return new S3ServiceException({ name, message: name, $fault: 'client', $metadata: { httpStatusCode: status } });
}

describe('removing', () => {
  test('makes as many calls as S3 requires, and names no version, which would destroy it', async () => {
    s3Mock.on(DeleteObjectsCommand).resolves({});
    const keys = Array.from({ length: 2001 }, (_, index) => `key-${index}`);
    await removeObjects(store, keys);
    const batches = s3Mock.commandCalls(DeleteObjectsCommand).map(({ args }) => args[0].input.Delete?.Objects ?? []);
    expect(batches.map((batch) => batch.length)).toEqual([1000, 1000, 1]);
    expect(batches.flat()).toEqual(keys.map((Key) => ({ Key })));
    expect(JSON.stringify(s3Mock.commandCalls(DeleteObjectsCommand)[0]?.args[0].input)).not.toContain('Bypass');
  });

  test('of nothing sends no request', async () => {
    await removeObjects(store, []);
    expect(s3Mock.calls()).toHaveLength(0);
  });

  test('that S3 refuses for one object fails with its key', async () => {
    s3Mock
      .on(DeleteObjectsCommand)
      .resolves({ Errors: [{ Key: 'archives/main/x', Code: 'AccessDenied', Message: 'no' }] });
    await expect(removeObjects(store, ['archives/main/x'])).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('remove archives/main/x in the archive bucket: AccessDenied: no') as string,
    });
  });
});

describe('aborting uploads', () => {
  const LIMIT = new Date('2026-11-21T06:00:00Z');
  const BEFORE = new Date('2026-11-21T05:00:00Z');

  test('reads every page, and spares uploads that were begun later', async () => {
    s3Mock
      .on(ListMultipartUploadsCommand)
      .resolves({
        IsTruncated: true,
        NextKeyMarker: 'a',
        NextUploadIdMarker: '1',
        Uploads: [{ Key: 'a', UploadId: '1', Initiated: BEFORE }],
      })
      .on(ListMultipartUploadsCommand, { KeyMarker: 'a', UploadIdMarker: '1' })
      .resolves({
        Uploads: [
          { Key: 'b', UploadId: '2', Initiated: LIMIT },
          { Key: 'c', UploadId: '3', Initiated: BEFORE },
        ],
      });
    s3Mock.on(AbortMultipartUploadCommand).resolves({});
    expect(await abortUploads(store, 'archives/main/', LIMIT)).toBe(2);
    expect(s3Mock.commandCalls(AbortMultipartUploadCommand).map(({ args }) => args[0].input.UploadId)).toEqual([
      '1',
      '3',
    ]);
  });

  test('ignores an upload that does not exist any more', async () => {
    s3Mock
      .on(ListMultipartUploadsCommand)
      .resolves({ Uploads: [{ Key: 'a', UploadId: '1', Initiated: BEFORE }] })
      .on(AbortMultipartUploadCommand)
      .rejects(new NoSuchUpload({ message: 'gone', $metadata: {} }));
    await expect(abortUploads(store, 'archives/main/', LIMIT)).resolves.toBe(1);
  });
});

describe('publishing a manifest', () => {
  const manifest = parseManifest(
    JSON.stringify({
      format: 'billing-operations-archive',
      version: 1,
      database: 'main',
      slot: '2026-11-21T06:00:00Z',
      attempt: 'ours',
      startedAt: '2026-11-21T06:00:00Z',
      finishedAt: '2026-11-21T06:00:01Z',
      durationMs: 1000,
      server: { version: '17.6', encoding: 'UTF8', localeProvider: 'libc', collate: 'C', ctype: 'C', locale: null },
      copySettings: {},
      migrations: [{ name: '0001_create_identity', sha256: '0'.repeat(64) }],
      tables: [],
      sequences: [],
      rows: 0,
      bytes: 0,
      compressedBytes: 0,
    }),
    'test',
  );
  const publish = () => writeManifest(store, manifest, new Date());

  test('that collides with another write is retryable when there is no manifest afterwards', async () => {
    s3Mock.on(PutObjectCommand).rejects(refusal('ConditionalRequestConflict', 409));
    s3Mock.on(GetObjectCommand).rejects(new NoSuchKey({ message: 'nothing', $metadata: {} }));
    await expect(publish()).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
  });

  test.each([
    [refusal('AccessDenied', 403), "Check the function's permissions on the bucket and on its key"],
    [refusal('NoSuchBucket', 404), 'Check ARCHIVE_BUCKET'],
    [new Error('getaddrinfo ENOTFOUND'), "Check the health of S3 and the function's route to it"],
  ])('that fails with %s says what to check', async (cause, advice) => {
    s3Mock.on(PutObjectCommand).rejects(cause);
    await expect(publish()).rejects.toThrow(advice);
  });
});
