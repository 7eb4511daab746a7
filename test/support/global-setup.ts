import { chmod, mkdir, mkdtemp, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startObjectStoreAndQueue } from '../../local/aws/object-store-and-queue';
import { startCluster } from '../../local/postgres/cluster';
import { publishTestServices, TEMPLATE_FOLDER_VARIABLE } from './services';
import { createTemplateDatabases } from './template-databases';

const MEMORY_FOLDER = '/dev/shm';
/** A run creates and drops hundreds of databases of 8 MB; a few hundred megabytes are in use at a time. */
const MEMORY_NEEDED_BYTES = 4 * 1024 ** 3;

/** In memory, where the machine has such a folder with enough space, databases are created and dropped twice as fast. */
async function fastestFolder(): Promise<string> {
  const memory = await statfs(MEMORY_FOLDER).catch(() => undefined);
  return memory !== undefined && memory.bavail * memory.bsize > MEMORY_NEEDED_BYTES ? MEMORY_FOLDER : tmpdir();
}

/** One PostgreSQL cluster and one S3/SQS server for the whole run; every test makes a database or a bucket of its own. */
export default async function globalSetup(): Promise<void> {
  const directory = await mkdtemp(path.join(await fastestFolder(), 'billing-operations-test-'));
  // When we are root, PostgreSQL runs as another account, which has to enter this folder.
  await chmod(directory, 0o711);
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
  const templates = path.join(directory, 'templates');
  await mkdir(templates);
  process.env[TEMPLATE_FOLDER_VARIABLE] = templates;
  await createTemplateDatabases();
}

declare global {
  // oxlint-disable-next-line no-var -- a global of jest's parent process; `var` is the only form that declares one
  var stopTestServices: (() => Promise<void>) | undefined;
}
