import { randomUUID } from 'node:crypto';
import type { ObjectIdentifier } from '@aws-sdk/client-s3';
import { ERASURE_PREFIX } from '../../core/erasure/contract';
import type { RestoreEnvironment } from '../../lambdas/restore/contract';
import { Clients } from '../aws/clients';
import { createInvoke, type Invoke } from '../aws/invoke';
import type { Context } from '../context';
import { configurationOf } from '../discover';
import { CommandError, explain } from '../errors';
import { bytes } from '../print/units';
import { type CopiedArchive, objectsUnder } from './copied-archives';
import { currentVersion, keysOfVersions, putBack, removeObjects, usedSince, useVersion } from './drill-clean-up';
import type { Drill } from './drill-run';
import type { SecondRegion } from './place';
import { replicaOf } from './secrets-there';

/** Objects copied at a time. */
const CONCURRENCY = 8;
/** Between two lines about the progress. */
const PROGRESS_MS = 5_000;

/** The environment that takes the place of the lost one. */
export interface Successor {
  readonly name: string;
  readonly clients: Clients;
  readonly invoke: Invoke;
  /** Bucket of its archives. */
  readonly bucket: string;
  /** Its secret that people who were erased are hashed under. */
  readonly erasureKeyArn: string;
}

/** Finds what a restore there uses. The caller closes its clients. */
export async function findSuccessor(context: Context, { region }: SecondRegion, name: string): Promise<Successor> {
  const target = { environment: name, platform: undefined, region, label: `${name} (${region})` };
  const clients = new Clients(target);
  try {
    const { variables } = await configurationOf<RestoreEnvironment>({ ...context, target, clients }, 'restore');
    const { ARCHIVE_BUCKET: bucket = '', ERASURE_KEY_SECRET_ARN: erasureKeyArn = '' } = variables;
    return { name, clients, invoke: createInvoke(target, clients, context.signal), bucket, erasureKeyArn };
  } catch (error) {
    await clients.close();
    throw error;
  }
}

/**
 * Refuses an environment with data of its own: the drill would replace the key of its ledger, and remove objects of its archives. A
 * version that a delete marker hides counts, because the ledger is read by version.
 *
 * @param prefixes beginnings of the keys that the drill would remove
 * @throws CommandError `refused`
 */
export async function assertUnused(
  { name, clients, bucket }: Pick<Successor, 'name' | 'clients' | 'bucket'>,
  prefixes: readonly string[],
): Promise<void> {
  const s3 = await clients.s3();
  for (const prefix of prefixes) {
    const [key] = await keysOfVersions(s3, bucket, prefix);
    if (key === undefined) continue;
    throw new CommandError(
      'refused',
      `${name} has s3://${bucket}/${key}: it was recovered to, or erases people itself. Drill into an environment that is made for it`,
    );
  }
}

/** Beginnings of the keys of what a restore reads: the ledger, and each archive. */
export function prefixesOf(archives: readonly CopiedArchive[]): string[] {
  return [ERASURE_PREFIX, ...archives.map(({ prefix }) => prefix)];
}

/** Gives the successor the key of the replica, so that it can read the ledger. Which version to go back to is on record before. */
export async function putErasureKey(drill: Drill, { clients, erasureKeyArn: arn }: Successor): Promise<string> {
  const { GetSecretValueCommand, PutSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
  const { place, record } = drill;
  const begun = record.made.secret;
  const replica = await replicaOf(place, 'ErasureKeySecret');
  const client = await clients.secretsManager();
  const [wanted, current] = await Promise.all(
    [replica?.ARN, arn].map((SecretId) => client.send(new GetSecretValueCommand({ SecretId }))),
  );
  if (wanted?.SecretString === undefined) throw new CommandError('failed', 'The replica of ErasureKeySecret is empty');
  if (begun !== null && current?.VersionId === begun.version) return 'there already';
  // Also where the value is the same: the version in use tells later whether the environment is still the drill's.
  const secret = begun ?? { arn, version: randomUUID(), previous: current?.VersionId ?? '' };
  record.made = { ...record.made, secret };
  await drill.save();
  // By its version, a call that is repeated stores nothing twice.
  const put = { SecretId: arn, SecretString: wanted.SecretString, ClientRequestToken: secret.version };
  try {
    await client.send(new PutSecretValueCommand(put));
  } catch (cause) {
    throw explain(cause, `put the key of erasures into ${arn}`, place.region);
  }
  const assertStillOwn = (): Promise<void> => drill.assertStillOwn(() => putBack(clients, secret));
  await assertStillOwn();
  // Nor does such a call use it again, where an earlier run has put the former one back.
  const used = await currentVersion(clients, arn);
  if (used !== undefined && used !== secret.version) {
    await useVersion(clients, arn, secret.version, used);
    await assertStillOwn();
  }
  return 'put';
}

/** Copies what a restore reads into the successor's bucket. What an interrupted drill has copied is not copied again. */
export async function copyObjects(
  drill: Drill,
  { clients, bucket }: Successor,
  archives: readonly CopiedArchive[],
): Promise<string> {
  const { CopyObjectCommand } = await import('@aws-sdk/client-s3');
  const { place, context, record } = drill;
  const s3 = await clients.s3();
  const ledger = await objectsUnder(s3, place.bucket, ERASURE_PREFIX);
  const keys = [...archives.flatMap((archive) => archive.keys), ...ledger.keys()];
  const there = new Set<string>();
  for (const prefix of prefixesOf(archives)) {
    for (const key of (await objectsUnder(s3, bucket, prefix)).keys()) there.add(key);
  }
  const missing = keys.filter((key) => !there.has(key));
  let saidAt = performance.now();
  // The run that has taken the drill over may have removed the copies.
  await drill.assertOwn();
  for (let start = 0; start < missing.length; start += CONCURRENCY) {
    context.signal.throwIfAborted();
    if (performance.now() - saidAt > PROGRESS_MS) {
      context.note(`${start} of ${missing.length} objects copied`);
      saidAt = performance.now();
    }
    const copied: ObjectIdentifier[] = [];
    // All of them have ended before the look at the record, also where one failed.
    const copies = await Promise.allSettled(
      missing.slice(start, start + CONCURRENCY).map(async (Key) => {
        const CopySource = `${place.bucket}/${Key.split('/').map(encodeURIComponent).join('/')}`;
        const { VersionId } = await s3.send(new CopyObjectCommand({ Bucket: bucket, Key, CopySource }));
        copied.push({ Key, VersionId });
      }),
    );
    await drill.assertStillOwn(async () => {
      if ((await usedSince(place, record.made)) === undefined) await removeObjects(s3, bucket, copied);
    });
    const failed = copies.find((copy) => copy.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
  const size = bytes(archives.reduce((sum, archive) => sum + archive.bytes, 0));
  return `${missing.length} of ${keys.length} objects copied, ${size} of archives`;
}
