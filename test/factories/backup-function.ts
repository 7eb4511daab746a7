import path from 'node:path';
import type { BackupEnvironment } from '../../lambdas/backup/contract';
import type { BaseEnvironment } from '../../core/contract';
import { LocalFunction } from '../../local/aws/lambda-runtime';
import type { SecretsManager } from '../../local/aws/secrets-manager';
import { SIGNING_KEY_ARN } from '../support/archive-key';
import { testServices } from '../support/services';

/** A migration of the main database: a table of 14 MB that compresses badly, so that its upload takes several parts. */
export const TABLE_OF_SEVERAL_UPLOAD_PARTS = `CREATE TABLE operations.bulk AS SELECT n,
  (SELECT string_agg(encode(sha512((n || '/' || m)::bytea), 'base64'), '') FROM generate_series(1, 8) m) AS noise
  FROM generate_series(1, 20000) n`;

export interface BackupFunctionProps {
  /** Folder of the bundle. */
  readonly bundle: string;
  /** Folder for the log. */
  readonly folder: string;
  /** Database of the test cluster that is archived as `main`. */
  readonly database: string;
  readonly bucket: string;
  readonly s3Endpoint: string;
  readonly secrets: SecretsManager;
  /** Endpoint of KMS. */
  readonly kmsEndpoint: string;
  /** @default 512 */
  readonly memoryMib?: number;
  /** @default 30 */
  readonly timeoutSeconds?: number;
}

/** The bundled backup function in a process of its own, as Lambda runs it. */
export function startBackupFunction(props: BackupFunctionProps): LocalFunction {
  const { cluster } = testServices();
  props.secrets.put('database', { username: cluster.user, password: cluster.password });
  const port = String(cluster.port);
  const environment: BackupEnvironment & Record<keyof BaseEnvironment, string> = {
    ENVIRONMENT_NAME: 'test',
    LOG_LEVEL: 'INFO',
    BILLING_DATABASE_HOST: cluster.host,
    BILLING_DATABASE_PORT: port,
    BILLING_DATABASE_NAME: props.database,
    BILLING_DATABASE_SECRET_ARN: 'database',
    BILLING_RETENTION_DAYS: '90',
    BILLING_FREQUENCY_HOURS: '6',
    BILLING_INSTANCE_IDENTIFIER: '',
    MAIN_DATABASE_HOST: cluster.host,
    MAIN_DATABASE_PORT: port,
    MAIN_DATABASE_NAME: props.database,
    MAIN_DATABASE_SECRET_ARN: 'database',
    MAIN_RETENTION_DAYS: '30',
    MAIN_FREQUENCY_HOURS: '24',
    MAIN_INSTANCE_IDENTIFIER: '',
    ARCHIVE_BUCKET: props.bucket,
    ARCHIVE_SIGNING_KEY_ARN: SIGNING_KEY_ARN,
    STREAMING_LIMIT_GIB: '64',
    BILLING_ARCHIVE_WORKFLOW_ARN: '',
    MAIN_ARCHIVE_WORKFLOW_ARN: '',
    EXPORT_ROLE_ARN: '',
    EXPORT_KEY_ARN: '',
  };
  return new LocalFunction(
    {
      name: 'backup',
      arn: 'arn:aws:lambda:eu-central-1:111111111111:function:backup',
      folder: props.bundle,
      handler: 'index.handler',
      timeoutSeconds: props.timeoutSeconds ?? 30,
      memoryMib: props.memoryMib ?? 512,
      reservedConcurrency: 1,
      environment: { ...environment, NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem' },
      logLevel: 'INFO',
    },
    {
      region: 'eu-central-1',
      endpoints: {
        s3: props.s3Endpoint,
        sqs: props.s3Endpoint,
        secretsManager: props.secrets.endpoint,
        kms: props.kmsEndpoint,
      },
      caFile: cluster.caFile,
      logDirectory: path.join(props.folder, 'logs'),
    },
  );
}
