import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { startObjectStoreAndQueue } from '../../local/aws/object-store-and-queue';
import { startCluster } from '../../local/postgres/cluster';
import { publishTestServices, TEMPLATE_FOLDER_VARIABLE } from './services';
import { SYNTHESIS_SETTINGS } from './synthesis-settings';
import { createTemplateDatabases } from './template-databases';

const MEMORY_FOLDER = '/dev/shm';
/** A run creates and drops hundreds of databases of 8 MB; a few hundred megabytes are in use at a time. */
const MEMORY_NEEDED_BYTES = 4 * 1024 ** 3;

/** In memory, where the machine has such a folder with enough space, databases are created and dropped twice as fast. */
async function fastestFolder(): Promise<string> {
  const memory = await statfs(MEMORY_FOLDER).catch(() => undefined);
  return memory !== undefined && memory.bavail * memory.bsize > MEMORY_NEEDED_BYTES ? MEMORY_FOLDER : tmpdir();
}

/** What is read of jest's own settings. */
interface RunSettings {
  readonly testPathPatterns: { readonly patterns: readonly string[] };
  readonly testNamePattern?: string;
}

/** A run of some tests synthesises what they read when they do. */
const isWholeRun = ({ testPathPatterns, testNamePattern = '' }: RunSettings): boolean =>
  testPathPatterns.patterns.length === 0 && testNamePattern === '';

/** Synthesises every named environment, beside the start of the servers. */
async function synthesiseNamed(templates: string): Promise<void> {
  const program = path.join(__dirname, '../lib/synthesise-named.ts');
  const env = { ...process.env, ...SYNTHESIS_SETTINGS, [TEMPLATE_FOLDER_VARIABLE]: templates };
  await promisify(execFile)(process.execPath, ['--import', 'tsx', program], { env });
}

/** One PostgreSQL cluster and one S3/SQS server for the whole run; every test makes a database or a bucket of its own. */
export default async function globalSetup(settings: RunSettings): Promise<void> {
  const directory = await mkdtemp(path.join(await fastestFolder(), 'billing-operations-test-'));
  // When we are root, PostgreSQL runs as another account, which has to enter this folder.
  await chmod(directory, 0o711);
  const templates = path.join(directory, 'templates');
  await mkdir(templates);
  const synthesised = isWholeRun(settings) ? synthesiseNamed(templates) : undefined;
  // It fails where it is awaited.
  synthesised?.catch(() => undefined);
  const [cluster, store] = await Promise.all([
    startCluster({ directory: path.join(directory, 'cluster'), durable: false, tls: true }),
    startObjectStoreAndQueue(),
  ]);
  if (cluster.caFile === undefined) throw new Error('The test cluster was started without TLS');
  globalThis.stopTestServices = async () => {
    await Promise.all([cluster.stop(), store.stop()]);
    const { rm } = await import('node:fs/promises');
    await rm(directory, { recursive: true, force: true });
  };
  publishTestServices({
    cluster: {
      host: cluster.host,
      port: cluster.port,
      user: cluster.user,
      password: cluster.password,
      caFile: cluster.caFile,
    },
    awsEndpoint: store.endpoint,
  });
  process.env[TEMPLATE_FOLDER_VARIABLE] = templates;
  await createTemplateDatabases();
  await synthesised;
}

declare global {
  // oxlint-disable-next-line no-var -- a global of jest's parent process; `var` is the only form that declares one
  var stopTestServices: (() => Promise<void>) | undefined;
}
