import { DeleteObjectsCommand, S3Client } from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { removeObjects } from '../../ops/region-loss/drill-clean-up';

test('more objects than S3 deletes in one call are removed in several', async () => {
  const s3 = mockClient(S3Client);
  s3.on(DeleteObjectsCommand).resolves({});
  const objects = Array.from({ length: 2001 }, (_, index) => ({ Key: `copied/${index}` }));
  await removeObjects(s3 as unknown as S3Client, 'archives', objects);
  const calls = s3.commandCalls(DeleteObjectsCommand).map(({ args }) => args[0].input.Delete?.Objects ?? []);
  expect(calls.map(({ length }) => length)).toEqual([1000, 1000, 1]);
  expect(calls.flat()).toEqual(objects);
});
