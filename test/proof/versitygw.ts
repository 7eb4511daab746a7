import { CreateBucketCommand, ListBucketsCommand, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, LOOPBACK } from '../../local/runtime/ports';

const REGION = 'eu-central-1';
const ROOT = { accessKeyId: 'root', secretAccessKey: 'root-secret' };
/**
 * A second user: the owner of the server is above bucket policies, so what root may do says nothing about a role. Named
 * as the functions that run on this machine name themselves.
 */
const ROLE = { accessKeyId: 'local', secretAccessKey: 'local' };
const START_ATTEMPTS = 100;

/** What the backup function's role may do with the archives, as `lib/operations/backup.ts` grants it. */
const ROLE_OBJECT_ACTIONS = [
  's3:AbortMultipartUpload',
  's3:DeleteObject',
  's3:GetObject',
  's3:PutObject',
  's3:PutObjectLegalHold',
  's3:PutObjectRetention',
];
const ROLE_BUCKET_ACTIONS = ['s3:ListBucket', 's3:ListBucketMultipartUploads', 's3:ListBucketVersions'];

/** An S3 server that enforces object lock, checksums and conditional writes. */
export interface ObjectLockServer {
  readonly endpoint: string;
  /** May do everything, also what no role may. */
  readonly root: S3Client;
  /** May do what the backup function may. */
  readonly role: S3Client;
  /** A client of the role that takes another way to the server, through a proxy perhaps. */
  roleAt(endpoint: string): S3Client;
  /** A bucket with versions and object lock, as the stack makes it. */
  createBucket(): Promise<string>;
  stop(): Promise<void>;
}

export async function startVersitygw(binary: string): Promise<ObjectLockServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-versitygw-'));
  for (const part of ['iam', 'versions', 'data']) mkdirSync(path.join(folder, part));
  const address = `${LOOPBACK}:${await freePort()}`;
  const endpoint = `http://${address}`;
  const listening = ['--port', address, '--region', REGION, '--keep-alive', '--quiet'];
  const users = ['--access', ROOT.accessKeyId, '--secret', ROOT.secretAccessKey, '--iam-dir', path.join(folder, 'iam')];
  const storage = ['posix', '--versioning-dir', path.join(folder, 'versions'), path.join(folder, 'data')];
  const server = spawn(binary, listening.concat(users, storage), { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const clientOf = (credentials: typeof ROOT, at = endpoint) =>
    new S3Client({ endpoint: at, region: REGION, forcePathStyle: true, credentials, maxAttempts: 6 });
  const root = clientOf(ROOT);
  const role = clientOf(ROLE);
  await untilReady(root);
  const administrator = ['--access', ROOT.accessKeyId, '--secret', ROOT.secretAccessKey, '--region', REGION];
  const user = ['create-user', '--access', ROLE.accessKeyId, '--secret', ROLE.secretAccessKey, '--role', 'user'];
  const call = ['admin', '--endpoint-url', endpoint].concat(administrator, user);
  const made = spawnSync(binary, call, { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`versitygw made no second user: ${made.stderr}${made.stdout}`);
  return {
    endpoint,
    root,
    role,
    roleAt: (at) => clientOf(ROLE, at),
    async createBucket() {
      const bucket = `proof-${randomBytes(6).toString('hex')}`;
      await root.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }));
      const allow = (actions: string[], resource: string) => ({
        Effect: 'Allow',
        Principal: { AWS: [ROLE.accessKeyId] },
        Action: actions,
        Resource: resource,
      });
      const statements = [
        allow(ROLE_OBJECT_ACTIONS, `arn:aws:s3:::${bucket}/*`),
        allow(ROLE_BUCKET_ACTIONS, `arn:aws:s3:::${bucket}`),
      ];
      const policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
      await root.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: policy }));
      return bucket;
    },
    async stop() {
      root.destroy();
      role.destroy();
      server.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilReady(root: S3Client): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await root.send(new ListBucketsCommand({}));
      return;
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
