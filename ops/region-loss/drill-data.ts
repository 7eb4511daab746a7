import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { ERASURE_PREFIX } from '../../core/erasure/contract';
import type { RestoreEnvironment, RestoreReport } from '../../lambdas/restore/contract';
import { Clients } from '../aws/clients';
import { createInvoke, type Invoke } from '../aws/invoke';
import type { Context } from '../context';
import { configurationOf } from '../discover';
import { CommandError } from '../errors';
import { bytes } from '../print/units';
import { type CopiedArchive, objectsUnder } from './copied-archives';
import type { RegionDrill } from './drill-record';
import type { SecondRegion } from './place';
import { replicaOf } from './secrets-there';

/** Objects copied at a time. */
const CONCURRENCY = 8;
/** Between two lines about the progress. */
const PROGRESS_MS = 5_000;
/** Between two looks at a workflow that restores a large archive. */
const POLL_MS = 15_000;

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
 * Refuses an environment with data of its own: the drill would replace the key of its ledger, and remove objects of its archives.
 *
 * @throws CommandError `refused`
 */
export async function assertUnused(
  { name, clients, bucket }: Successor,
  archives: readonly CopiedArchive[],
): Promise<void> {
  const s3 = await clients.s3();
  for (const prefix of prefixesOf(archives)) {
    const [key] = (await objectsUnder(s3, bucket, prefix)).keys();
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

/**
 * Gives the successor the key of the replica, so that it can read the ledger.
 *
 * @param remember records which version to go back to, before anything is changed
 */
export async function putErasureKey(
  place: SecondRegion,
  { clients, erasureKeyArn: arn }: Successor,
  begun: RegionDrill['made']['secret'],
  remember: (secret: RegionDrill['made']['secret']) => Promise<void>,
): Promise<string> {
  const { GetSecretValueCommand, PutSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
  const replica = await replicaOf(place, 'ErasureKeySecret');
  const client = await clients.secretsManager();
  const [wanted, current] = await Promise.all(
    [replica?.ARN, arn].map((SecretId) => client.send(new GetSecretValueCommand({ SecretId }))),
  );
  if (wanted?.SecretString === undefined) throw new CommandError('failed', 'The replica of ErasureKeySecret is empty');
  if (begun !== null && current?.VersionId === begun.version) return 'there already';
  // Also where the value is the same: the version in use tells later whether the environment is still the drill's.
  const secret = begun ?? { arn, version: randomUUID(), previous: current?.VersionId ?? '' };
  await remember(secret);
  await client.send(
    // By its version, a call that is repeated stores nothing twice.
    new PutSecretValueCommand({
      SecretId: arn,
      SecretString: wanted.SecretString,
      ClientRequestToken: secret.version,
    }),
  );
  return 'put';
}

/** Copies what a restore reads into the successor's bucket. What an interrupted drill has copied is not copied again. */
export async function copyObjects(
  place: SecondRegion,
  { clients, bucket }: Successor,
  archives: readonly CopiedArchive[],
  { signal, note }: Pick<Context, 'signal' | 'note'>,
): Promise<string> {
  const { CopyObjectCommand } = await import('@aws-sdk/client-s3');
  const s3 = await clients.s3();
  const ledger = await objectsUnder(s3, place.bucket, ERASURE_PREFIX);
  const keys = [...archives.flatMap((archive) => archive.keys), ...ledger.keys()];
  const there = new Set<string>();
  for (const prefix of prefixesOf(archives)) {
    for (const key of (await objectsUnder(s3, bucket, prefix)).keys()) there.add(key);
  }
  const missing = keys.filter((key) => !there.has(key));
  let saidAt = performance.now();
  for (let start = 0; start < missing.length; start += CONCURRENCY) {
    signal.throwIfAborted();
    if (performance.now() - saidAt > PROGRESS_MS) {
      note(`${start} of ${missing.length} objects copied`);
      saidAt = performance.now();
    }
    await Promise.all(
      missing.slice(start, start + CONCURRENCY).map((Key) => {
        const CopySource = `${place.bucket}/${Key.split('/').map(encodeURIComponent).join('/')}`;
        return s3.send(new CopyObjectCommand({ Bucket: bucket, Key, CopySource }));
      }),
    );
  }
  const size = bytes(archives.reduce((sum, archive) => sum + archive.bytes, 0));
  return `${missing.length} of ${keys.length} objects copied, ${size} of archives`;
}

/** Restores an archive into a scratch database of the successor's, which proves it, erases who was erased, and drops it again. */
export async function restoreCopy(
  context: Context,
  successor: Successor,
  { database, slot, manifestSha256 }: CopiedArchive,
  scratch: string,
): Promise<RegionDrill['restored'][number]> {
  const { contract } = await import('../../lambdas/restore/contract');
  const report = await successor
    .invoke('restore', contract, {
      database,
      archive: slot,
      manifestSha256,
      targetDatabase: scratch,
      afterwards: 'drop',
    })
    .catch((cause: unknown) => {
      if (!(cause instanceof CommandError && cause.message.includes('(target_exists)'))) throw cause;
      const advice = `An earlier run of this drill ended before it was dropped. On the server of ${database}: DROP DATABASE ${scratch}`;
      throw new CommandError(cause.exit, `${advice}; then repeat the command`, { cause });
    });
  const { tables, rows, rowsErased, durationMs, deviations, schemaDifferences } =
    report.outcome === 'started' ? await workflowResult(context, successor, report) : report;
  const differences = [...deviations.map(({ object }) => object), ...schemaDifferences];
  if (differences.length > 0) {
    const first = differences.slice(0, 3).join(', ');
    throw new CommandError(
      'failed',
      `${database} came back with another schema: ${first}. docs/runbook.md, drillFindings, says how to find the cause`,
    );
  }
  return { database, archive: slot, tables, rows, rowsErased, durationMs };
}

/** What the proof of a restore in parts says, at the end of its workflow. */
const proof = z.object({
  tables: z.int(),
  rows: z.int(),
  rowsErased: z.int(),
  deviations: z.array(z.object({ object: z.string() })),
  schemaDifferences: z.array(z.string()),
});

/** Waits for the workflow of a large archive, whose answer at the beginning proves nothing. */
async function workflowResult(
  { note, signal }: Context,
  { name, clients }: Successor,
  { database, execution: executionArn }: RestoreReport,
): Promise<z.infer<typeof proof> & { readonly durationMs: number }> {
  const { DescribeExecutionCommand } = await import('@aws-sdk/client-sfn');
  const { setTimeout: sleep } = await import('node:timers/promises');
  const client = await clients.stepFunctions();
  note(`${database} is restored in parts by ${executionArn}`);
  for (;;) {
    const { status, startDate, stopDate, cause, output } = await client.send(
      new DescribeExecutionCommand({ executionArn }),
    );
    if (status === 'SUCCEEDED') {
      const durationMs = (stopDate?.getTime() ?? 0) - (startDate?.getTime() ?? 0);
      return { ...proof.parse(JSON.parse(output ?? '{}')), durationMs };
    }
    if (status !== 'RUNNING') {
      throw new CommandError(
        'failed',
        `The restore of ${database} ended as ${status}: ${cause ?? `ops runs --env ${name}`}`,
      );
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}
