import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { abortUploads } from '../../../core/archive/removal';

const s3 = mockClient(S3Client);
const store = { s3: new S3Client({}), bucket: 'archives' };

test('a server that lists its objects in place of uploads, and never ends, is asked once', async () => {
  s3.on(ListMultipartUploadsCommand).resolvesOnce({ IsTruncated: true }).rejects(new Error('asked again'));
  expect(await abortUploads(store, 'archives/main/', new Date())).toBe(0);
  expect(s3.commandCalls(ListMultipartUploadsCommand)).toHaveLength(1);
});
