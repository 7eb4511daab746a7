import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { installedPackage } from '../runtime/installed-package';
import { LOOPBACK } from '../runtime/ports';

/** S3 and SQS on loopback, in memory. What it does not enforce (locks, sizes, checksums) it cannot prove. */
export interface ObjectStoreAndQueue {
  /** Endpoint of both services, for `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL_SQS`. */
  readonly endpoint: string;
  /** Closes connections, drops the state and resolves when the port is free. */
  stop(): Promise<void>;
}

/** Account in the URL of each queue; the stand-in checks the queue's name only. */
export const QUEUE_ACCOUNT = '000000000000';

/**
 * Loads the emulator by its path: its `exports` know ES modules only, while jest compiles `import()` to `require()`,
 * which Node resolves with other conditions but is able to load.
 */
function loadEmulator(): typeof import('fauxqs') {
  const folder = installedPackage('fauxqs');
  if (folder === undefined) throw new Error('Package fauxqs is not installed (npm ci).');
  return createRequire(__filename)(join(folder, 'dist/app.js')) as typeof import('fauxqs');
}

/** Starts S3 and SQS. Not with the package's own `startFauxqs`, as that listens on every interface. */
export async function startObjectStoreAndQueue(): Promise<ObjectStoreAndQueue> {
  const app = loadEmulator().buildApp({ logger: false });
  await app.listen({ host: LOOPBACK, port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return {
    endpoint: `http://${LOOPBACK}:${port}`,
    async stop() {
      await app.close();
    },
  };
}
