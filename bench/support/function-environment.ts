import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import type { SecretsManager } from '../../local/aws/secrets-manager';
import type { BenchServer } from './server';

const DATABASE_SECRET_ARN = 'arn:aws:secretsmanager:eu-central-1:000000000000:secret:database-bench0';

/** What Lambda gives every function, and where this machine's AWS is. */
export function baseEnvironment(secrets: SecretsManager): BaseEnvironment & Record<string, string> {
  return {
    ENVIRONMENT_NAME: 'bench',
    LOG_LEVEL: 'INFO',
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'benchbench',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
  };
}

/** How a function reaches a database of the benchmark's server; both names are given the same one. */
export function databaseEnvironment(
  server: BenchServer,
  secrets: SecretsManager,
  database: string,
): BillingDatabaseEnvironment & MainDatabaseEnvironment & { NODE_EXTRA_CA_CERTS: string } {
  secrets.put(DATABASE_SECRET_ARN, { username: server.user, password: server.password });
  return {
    BILLING_DATABASE_HOST: server.host,
    BILLING_DATABASE_PORT: String(server.port),
    BILLING_DATABASE_NAME: database,
    BILLING_DATABASE_SECRET_ARN: DATABASE_SECRET_ARN,
    MAIN_DATABASE_HOST: server.host,
    MAIN_DATABASE_PORT: String(server.port),
    MAIN_DATABASE_NAME: database,
    MAIN_DATABASE_SECRET_ARN: DATABASE_SECRET_ARN,
    NODE_EXTRA_CA_CERTS: server.caFile,
  };
}
