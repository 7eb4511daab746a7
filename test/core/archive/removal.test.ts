import {
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { abortUploads } from '../../../core/archive/removal';
import { deleteRowReports } from '../../../lambdas/erasure/reports';
import { emptyBucket } from '../../../lib/stacks/empty-bucket';

const s3 = mockClient(S3Client);
const store = { s3: new S3Client({}), bucket: 'archives' };
const page = (Key: string) => ({ Versions: [{ Key, VersionId: `${Key}-1` }] });
const removed = () =>
  s3.commandCalls(DeleteObjectsCommand).flatMap(({ args }) => args[0].input.Delete?.Objects?.map(({ Key }) => Key));

beforeEach(() => s3.reset());

test('a server that lists its objects in place of uploads, and never ends, is asked once', async () => {
  s3.on(ListMultipartUploadsCommand).resolvesOnce({ IsTruncated: true }).rejects(new Error('asked again'));
  expect(await abortUploads(store, 'archives/main/', new Date())).toBe(0);
  expect(s3.commandCalls(ListMultipartUploadsCommand)).toHaveLength(1);
});

test('a bucket is emptied behind a page that lists no version and is not the last', async () => {
  s3.on(ListMultipartUploadsCommand).resolves({});
  s3.on(ListObjectVersionsCommand)
    .resolvesOnce({ IsTruncated: true, NextKeyMarker: 'a' })
    .resolvesOnce(page('b'))
    .resolves({});
  s3.on(DeleteObjectsCommand).resolves({});
  expect(await emptyBucket(store.s3, 'archives')).toBe(1);
  expect(s3.commandCalls(ListObjectVersionsCommand)[1]?.args[0].input).toMatchObject({ KeyMarker: 'a' });
  expect(removed()).toEqual(['b']);
});

test('reports are not taken as deleted where a page of versions that is not the last names no next one', async () => {
  s3.on(ListObjectVersionsCommand)
    .resolvesOnce({ IsTruncated: true, ...page('row-recovery/1') })
    .resolves(page('row-recovery/2'));
  s3.on(DeleteObjectsCommand).resolves({});
  s3.on(ListObjectsV2Command).resolves({});
  await expect(deleteRowReports(store)).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
  expect(await deleteRowReports(store)).toBe(1);
  expect(removed()).toEqual(['row-recovery/1', 'row-recovery/2']);
});
