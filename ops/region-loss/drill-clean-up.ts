import type { ObjectIdentifier, S3Client } from '@aws-sdk/client-s3';
import { ERASURE_PREFIX } from '../../core/erasure/contract';
import { removeVersions } from '../../core/objects/remove-versions';
import { versionPages } from '../../core/objects/version-pages';
import type { Clients } from '../aws/clients';
import { CommandError, explain } from '../errors';
import { counted } from '../print/units';
import { objectsUnder } from './copied-archives';
import type { RegionDrill } from './drill-record';
import type { SecondRegion } from './place';

type Made = RegionDrill['made'];

/** The most that S3 deletes in one call. */
const KEYS_PER_CALL = 1000;

/**
 * What tells that the environment was recovered to since a drill into it was interrupted, or is in use otherwise: then nothing of it
 * may be removed.
 *
 * @returns `undefined` while it is the drill's alone
 */
export async function usedSince(place: SecondRegion, { bucket, secret }: Made): Promise<string | undefined> {
  // Objects are copied behind the key.
  if (secret === null) return undefined;
  const current = await currentVersion(place.clients, secret.arn);
  if (current !== undefined && current !== secret.version && current !== secret.previous) {
    return `${secret.arn} has another value than the drill put there, and than it had before`;
  }
  const s3 = await place.clients.s3();
  const [theirs, copied] = await Promise.all([
    unlessGone(keysOfVersions(s3, bucket, ERASURE_PREFIX), new Set<string>()),
    objectsUnder(s3, place.bucket, ERASURE_PREFIX),
  ]);
  const own = [...theirs].find((key) => !copied.has(key));
  return own === undefined ? undefined : `s3://${bucket}/${own} is an erasure of its own`;
}

/** Takes back what a drill made. Each part may be repeated; the key is the last, because it tells whose the rest is. */
export async function takeBack(clients: Clients, { bucket, prefixes, secret }: Made): Promise<string> {
  if (secret === null) return 'nothing was made';
  const s3 = await clients.s3();
  let removed = 0;
  for (const prefix of prefixes) removed += await unlessGone(removeUnder(s3, bucket, prefix), 0);
  return `${counted(removed, 'copied object')} removed, ${await putBack(clients, secret)}`;
}

/**
 * Removes every version: an object that is only hidden stays in the ledger of erasures, which is read by version, and the policy of a
 * protected bucket refuses to hide it.
 *
 * @returns how many objects were removed
 */
async function removeUnder(s3: S3Client, bucket: string, prefix: string): Promise<number> {
  const keys = await keysOfVersions(s3, bucket, prefix);
  await removeVersions({ s3, bucket, prefix });
  // A server without versions has listed none.
  const left = [...(await objectsUnder(s3, bucket, prefix)).keys()].map((Key) => ({ Key }));
  await removeObjects(s3, bucket, left);
  return keys.size;
}

/** Removes objects that a drill copied, each by the version that S3 gave it. @throws CommandError naming the first that was refused */
export async function removeObjects(s3: S3Client, Bucket: string, objects: readonly ObjectIdentifier[]): Promise<void> {
  const { DeleteObjectsCommand } = await import('@aws-sdk/client-s3');
  for (let from = 0; from < objects.length; from += KEYS_PER_CALL) {
    const Objects = objects.slice(from, from + KEYS_PER_CALL);
    const { Errors: [refused] = [] } = await s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
    );
    if (refused === undefined) continue;
    const advice = 'give your role s3:DeleteObjectVersion there, and remove it';
    throw new CommandError('failed', `s3://${Bucket}/${refused.Key} was not removed: ${refused.Message}. ${advice}`);
  }
}

/** Keys of which there is any version, hidden or not. A server without versions lists objects alone. */
export async function keysOfVersions(s3: S3Client, bucket: string, prefix: string): Promise<Set<string>> {
  const found = new Set((await objectsUnder(s3, bucket, prefix)).keys());
  for await (const { Versions = [] } of versionPages({ s3, bucket, prefix })) {
    for (const { Key = '' } of Versions) found.add(Key);
  }
  return found;
}

/** Has the own key of an environment used again, unless it is, or another one than the drill's. */
export async function putBack(
  clients: Clients,
  { arn, version, previous }: NonNullable<Made['secret']>,
): Promise<string> {
  const current = await currentVersion(clients, arn);
  if (current === undefined) return 'its secret is gone';
  if (current !== version) return 'its own key of erasures was put back before';
  await useVersion(clients, arn, previous, version);
  return 'its own key of erasures put back';
}

/** Has a stored version of a secret used in place of the one that is in use. */
export async function useVersion(clients: Clients, arn: string, version: string, instead: string): Promise<void> {
  const { UpdateSecretVersionStageCommand } = await import('@aws-sdk/client-secrets-manager');
  const client = await clients.secretsManager();
  const change = { VersionStage: 'AWSCURRENT', RemoveFromVersionId: instead, MoveToVersionId: version };
  try {
    await client.send(new UpdateSecretVersionStageCommand({ SecretId: arn, ...change }));
  } catch (cause) {
    throw explain(cause, `use version ${version} of ${arn}`, 'the second region');
  }
}

/** @returns id of the version of a secret that is in use; `undefined` where it was destroyed with its environment */
export async function currentVersion(clients: Clients, arn: string): Promise<string | undefined> {
  const { DescribeSecretCommand } = await import('@aws-sdk/client-secrets-manager');
  const client = await clients.secretsManager();
  try {
    const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId: arn }));
    return Object.entries(VersionIdsToStages).find(([, stages]) => stages.includes('AWSCURRENT'))?.[0] ?? '';
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'ResourceNotFoundException') return undefined;
    throw explain(cause, `look at ${arn}`, 'the second region');
  }
}

/** @param otherwise what there is of a bucket that was destroyed with its environment */
async function unlessGone<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'NoSuchBucket') return otherwise;
    throw cause;
  }
}
