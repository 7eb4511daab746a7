import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { openManifestKey } from './manifest-key';
import type { SignedStore } from './signed-manifest';
import type { ArchiveStore } from './store';

/** S3 answers 503 while it scales, for seconds at a time; three attempts, the SDK's default, do not outlast that. */
const ATTEMPTS = 6;
const CONNECT_TIMEOUT_MS = 5_000;
/**
 * A request that S3 does not answer is retried: by default, the SDK would wait until the function ends. All attempts
 * together have to end well within its 15 minutes.
 */
const WRITE_TIMEOUT_MS = 30_000;
/** Longer, because the timeout also counts while a slow database delays the reading of an object. */
const READ_TIMEOUT_MS = 90_000;

/**
 * Opens the archive bucket with the settings of the functions.
 *
 * @param use what the client mostly does, which decides how long S3 may be silent
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

/** Opens the archives of an environment, whose manifests are signed. */
export function openSignedStore(
  environment: { readonly ARCHIVE_BUCKET: string; readonly ARCHIVE_SIGNING_KEY_ARN: string },
  use: Parameters<typeof openArchiveStore>[1],
): SignedStore {
  return {
    ...openArchiveStore(environment.ARCHIVE_BUCKET, use),
    signingKey: openManifestKey(environment.ARCHIVE_SIGNING_KEY_ARN),
  };
}
