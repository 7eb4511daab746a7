import { DescribeDBInstancesCommand, type RDSClient } from '@aws-sdk/client-rds';
import type { ClientBase } from 'pg';
import { OperationError } from '../shared/errors';

const GIB = 1024 ** 3;

/**
 * Share of subscriptions, in percent, whose payment fails: those behind with a payment, and those whose first payment
 * never came within the last 30 days, of all that are alive or were lost that way. 0 when there are none.
 */
export async function failedSubscriptionsPercent(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ percent: number }>(`
    SELECT coalesce(100.0 * count(*) FILTER (WHERE status NOT IN ('active', 'trialing')) / nullif(count(*), 0), 0)::float8
      AS percent
    FROM billing.subscriptions
    WHERE status IN ('active', 'trialing', 'past_due', 'unpaid')
       OR (status = 'incomplete_expired' AND created_at > now() - interval '30 days')`);
  return rows[0]?.percent ?? 0;
}

/** Bytes that all databases of the server occupy. */
export async function databaseSizeBytes(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    'SELECT sum(pg_database_size(oid)) AS bytes FROM pg_database WHERE datallowconn',
  );
  return Number(rows[0]?.bytes ?? 0);
}

/** Where the disk behind a database is known from: RDS when it has the instance, otherwise the configuration. */
export interface StorageSource {
  readonly instanceIdentifier: string;
  readonly allocatedStorageGib: number;
}

/**
 * Bytes of disk behind a database, now: storage autoscaling changes it without a deployment.
 *
 * @throws OperationError `instance_unknown` when RDS has no such instance
 */
export async function allocatedStorageBytes(rds: RDSClient, source: StorageSource): Promise<number> {
  if (source.instanceIdentifier === '') return source.allocatedStorageGib * GIB;
  const { DBInstances } = await rds.send(
    new DescribeDBInstancesCommand({ DBInstanceIdentifier: source.instanceIdentifier }),
  );
  const allocatedGib = DBInstances?.[0]?.AllocatedStorage;
  if (allocatedGib === undefined) {
    throw new OperationError('instance_unknown', `RDS tells no storage of instance ${source.instanceIdentifier}`);
  }
  return allocatedGib * GIB;
}
