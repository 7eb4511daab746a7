import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { freePort, LOOPBACK } from '../../local/runtime/ports';
import type { Teardown } from '../../local/runtime/teardown';
import { goTool, VERSITYGW } from '../../test/proof/tools';

const REGION = 'eu-central-1';
const START_TIMEOUT_MS = 15_000;

/** A real S3 server with one bucket that locks its objects. */
export interface ObjectServer {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly bucket: string;
  readonly client: S3Client;
}

/**
 * Starts the S3 server that all contenders upload to; its objects are files below `directory`.
 *
 * @throws Error when it is not in the cache and cannot be built
 */
export async function startObjectServer(directory: string, teardown: Teardown): Promise<ObjectServer> {
  const program = goTool(VERSITYGW);
  if (program === undefined) throw new Error('Measuring uploads needs an S3 server: install Go to build one');
  const [objects, versions] = [join(directory, 'objects'), join(directory, 'versions')];
  for (const folder of [objects, versions]) mkdirSync(folder, { recursive: true });
  const credentials = { accessKeyId: 'bench', secretAccessKey: 'benchbench' };
  const port = await freePort();
  const child = spawn(
    program,
    ['--port', `${LOOPBACK}:${port}`, '--region', REGION, '--quiet', 'posix', '--versioning-dir', versions, objects],
    {
      env: {
        PATH: process.env.PATH,
        ROOT_ACCESS_KEY: credentials.accessKeyId,
        ROOT_SECRET_KEY: credentials.secretAccessKey,
      },
      stdio: 'ignore',
    },
  );
  teardown.add(() => void child.kill('SIGKILL'));
  const endpoint = `http://${LOOPBACK}:${port}`;
  const client = new S3Client({ endpoint, region: REGION, credentials, forcePathStyle: true });
  teardown.add(() => client.destroy());
  const bucket = 'bench-archives';
  await createBucketWhenReady(client, bucket);
  return { endpoint, ...credentials, region: REGION, bucket, client };
}

async function createBucketWhenReady(client: S3Client, bucket: string): Promise<void> {
  for (const deadline = Date.now() + START_TIMEOUT_MS; ; await sleep(100)) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }));
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
