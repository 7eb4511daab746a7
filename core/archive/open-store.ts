import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { ArchiveStore } from './store';

/** S3 answers 503 while it scales, for seconds at a time; three attempts, the SDK's default, do not outlast that. */
const ATTEMPTS = 6;
const CONNECT_TIMEOUT_MS = 5_000;
/**
 * A call that S3 does not answer is better made again than waited for: the SDK would wait until the function ends. All
 * attempts together have to end well within its 15 minutes.
 */
const WRITE_TIMEOUT_MS = 30_000;
/** Longer, because it also counts while a slow database holds up the reading of an object. */
const READ_TIMEOUT_MS = 90_000;

/**
 * The archive bucket, as the functions reach it.
 *
 * @param use what the client mostly does: how long S3 may be silent depends on it
 * @param overrides of the client's settings, for another server than S3
 */
export function openArchiveStore(
  bucket: string,
  use: 'reading' | 'writing',
  overrides: Omit<S3ClientConfig, 'requestHandler'> & { readonly silenceMs?: number } = {},
): ArchiveStore {
  const { silenceMs = use === 'writing' ? WRITE_TIMEOUT_MS : READ_TIMEOUT_MS, ...settings } = overrides;
  const requestHandler = { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: silenceMs };
  return { s3: new S3Client({ maxAttempts: ATTEMPTS, requestHandler, ...settings }), bucket };
}
