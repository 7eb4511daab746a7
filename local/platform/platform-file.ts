import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify, isRunning, type ProcessIdentity } from '../runtime/processes';

/** Where the running platform listens, for tools such as `ops --env local`. */
export interface PlatformFile {
  /** Name of the environment, as in the names of its functions: `BillingOps-<environment>-<stem>`. */
  readonly environment: string;
  readonly region: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly process: ProcessIdentity;
  /** For `AWS_ENDPOINT_URL_<SERVICE>`; any credentials are accepted. */
  readonly endpoints: {
    readonly lambda: string;
    readonly s3: string;
    readonly sqs: string;
    readonly secretsManager: string;
  };
  /** Base URL of the API. */
  readonly apiUrl: string;
  /** Where Stripe's events are sent to. */
  readonly webhookUrl: string;
}

/** State of the platform of a folder, by its file. */
export type PlatformState =
  | { readonly status: 'running'; readonly platform: PlatformFile }
  /** Its process ended without removing the file. */
  | { readonly status: 'stale'; readonly platform: PlatformFile }
  | { readonly status: 'stopped' };

const FILE = 'platform.json';

/** Writes the file; the result removes it. */
export function writePlatformFile(
  directory: string,
  platform: Omit<PlatformFile, 'process' | 'startedAt'>,
): { remove(): void } {
  const ownProcess = identify(process.pid);
  if (ownProcess === undefined) throw new Error('Cannot read when this process started; is "ps" installed?');
  const content: PlatformFile = { ...platform, startedAt: new Date().toISOString(), process: ownProcess };
  const path = join(directory, FILE);
  // Renamed into place, so that a reader never finds half of it.
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return { remove: () => rmSync(path, { force: true }) };
}

/** Reads where the platform of a folder listens, if it runs. @throws when the file is not the platform's */
export function readPlatformFile(directory: string): PlatformState {
  const path = join(directory, FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { status: 'stopped' };
    throw error;
  }
  const platform = parse(path, text);
  return { status: isRunning(platform.process) ? 'running' : 'stale', platform };
}

function parse(path: string, text: string): PlatformFile {
  try {
    const platform = JSON.parse(text) as PlatformFile;
    if (typeof platform.process.pid === 'number' && typeof platform.endpoints.lambda === 'string') return platform;
  } catch {
    // As for content of another shape.
  }
  throw new Error(`${path} was not written by npm start. Delete it, and start the platform again.`);
}
