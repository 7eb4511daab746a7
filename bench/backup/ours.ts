import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseName } from '../../core/contract';
import type { ArchiveReport, BackupEnvironment } from '../../lambdas/backup/contract';
import type { RestoreEnvironment } from '../../lambdas/restore/contract';
import type { SecretsManager } from '../../local/aws/secrets-manager';
import type { Bundle } from '../../lib/operations/bundles';
import { baseEnvironment, databaseEnvironment } from '../support/function-environment';
import { startFunction, type FunctionProcess } from '../support/function-process';
import type { BenchDatabase, BenchServer } from '../support/server';
import type { Contender } from './contender';
import type { ObjectServer } from './object-server';

const ERASURE_KEY_SECRET_ARN = 'arn:aws:secretsmanager:eu-central-1:000000000000:secret:bench-erasures';
/** Of archives above the streaming limit, which the bench has none of. */
const UNUSED_WORKFLOW_ARN = 'arn:aws:states:eu-central-1:000000000000:stateMachine:bench-restore';
/** V8's limit, in MiB: far more than the target for the whole process, so that the limit does not enforce the target. */
const HEAP_MIB = 460;

/** The bundled backup and restore functions, each in a process of its own. */
export function platform(
  bundle: (name: string) => Bundle,
  server: BenchServer,
  { database, name: databaseName }: { readonly database: BenchDatabase; readonly name: DatabaseName },
  secrets: SecretsManager,
  objects: ObjectServer,
  kmsEndpoint: string,
): Contender & { readonly schemaSeconds: () => readonly number[] } {
  secrets.put(ERASURE_KEY_SECRET_ARN, { key: 'k'.repeat(64) });
  const common = {
    ...baseEnvironment(secrets),
    ...databaseEnvironment(server, secrets, database.name),
    AWS_REGION: objects.region,
    AWS_ACCESS_KEY_ID: objects.accessKeyId,
    AWS_SECRET_ACCESS_KEY: objects.secretAccessKey,
    AWS_ENDPOINT_URL_S3: objects.endpoint,
    AWS_ENDPOINT_URL_KMS: kmsEndpoint,
    ARCHIVE_BUCKET: objects.bucket,
    ARCHIVE_SIGNING_KEY_ARN: 'arn:aws:kms:eu-central-1:000000000000:key/bench',
    ERASURE_KEY_SECRET_ARN,
    ERASURE_HOOKS: '',
  };
  const backupEnvironment = {
    ...common,
    BILLING_RETENTION_DAYS: '90',
    MAIN_RETENTION_DAYS: '30',
    BILLING_FREQUENCY_HOURS: '6',
    MAIN_FREQUENCY_HOURS: '24',
    BILLING_INSTANCE_IDENTIFIER: '',
    MAIN_INSTANCE_IDENTIFIER: '',
    STREAMING_LIMIT_GIB: '100',
    BILLING_ARCHIVE_WORKFLOW_ARN: '',
    MAIN_ARCHIVE_WORKFLOW_ARN: '',
    EXPORT_ROLE_ARN: '',
    EXPORT_KEY_ARN: '',
  } satisfies BackupEnvironment & Record<string, string>;
  const restoreEnvironment = {
    ...common,
    STREAMING_LIMIT_GIB: '64',
    BILLING_RESTORE_WORKFLOW_ARN: UNUSED_WORKFLOW_ARN,
    MAIN_RESTORE_WORKFLOW_ARN: UNUSED_WORKFLOW_ARN,
  } satisfies RestoreEnvironment & Record<string, string>;
  const peak = { save: 0, restore: 0 };

  async function using<T>(
    name: string,
    environment: Record<string, string>,
    work: (fn: FunctionProcess) => Promise<T>,
  ): Promise<{ result: T; peakBytes: number }> {
    const logFile = join(server.directory, `${name}.log`);
    const fn = await startFunction(bundle(name).folder, environment, { heapMib: HEAP_MIB, logFile });
    try {
      return { result: await work(fn), peakBytes: fn.peakMemoryBytes() };
    } finally {
      fn.stop();
    }
  }

  return {
    name: 'this platform',
    async save() {
      const { result, peakBytes } = await using('backup', backupEnvironment, (fn) =>
        fn.invoke({ database: databaseName }),
      );
      peak.save = peakBytes;
      return (result as ArchiveReport).compressedBytes;
    },
    async restore(targetDatabase) {
      const request = { database: databaseName, archive: 'latest', targetDatabase, afterwards: 'keep' };
      const { peakBytes } = await using('restore', restoreEnvironment, (fn) => fn.invoke(request));
      peak.restore = peakBytes;
    },
    peakMemoryBytes: () => peak,
    /** What the function logged about each of its archives. */
    schemaSeconds: () => schemaSecondsIn(readFileSync(join(server.directory, 'backup.log'), 'utf8')),
  };
}

function schemaSecondsIn(log: string): number[] {
  const lines = log.split('\n').filter((line) => line.includes('"Schema captured"'));
  return lines.map((line) => (JSON.parse(line) as { readonly durationMs: number }).durationMs / 1000);
}
