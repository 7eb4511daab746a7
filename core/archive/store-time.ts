import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { type ArchiveStore, unavailable } from './store';

/**
 * What time it is by S3, which dates every answer.
 *
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function storeTime({ s3, bucket }: ArchiveStore): Promise<Date> {
  const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: 'archives/', MaxKeys: 1 });
  let date = '';
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      date = (result.response as { headers?: Readonly<Record<string, string>> }).headers?.date ?? '';
      return result;
    },
    { step: 'deserialize' },
  );
  await s3.send(command).catch((cause: unknown) => {
    throw unavailable('ask for the time', cause);
  });
  const time = new Date(date);
  if (Number.isNaN(time.getTime())) throw unavailable('ask for the time', new Error('the answer has no date'));
  return time;
}
