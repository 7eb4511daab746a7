import { randomBytes } from 'node:crypto';
import { createConnector, type DatabaseConnector, type DatabaseTarget } from '../../core/database/connector';
import type { Secrets } from '../../core/runtime/secrets';
import { asAdministrator, clusterTarget } from './database';

/** Secrets Manager holding one secret: these credentials. */
export function secretsOf(username: string, password: string): Secrets {
  return { read: async (_arn, schema) => schema.parse({ username, password }) };
}

/** A role of the test cluster, which connects to its maintenance database. */
export interface TestRole {
  readonly name: string;
  readonly connector: DatabaseConnector;
}

/**
 * Makes a role with the rights that RDS gives to the owner of an instance as far as PostgreSQL itself has them: no
 * superuser, but databases and roles of its own.
 */
export async function createMasterRole(target: DatabaseTarget = clusterTarget('postgres')): Promise<TestRole> {
  const name = `master_${randomBytes(4).toString('hex')}`;
  await asAdministrator((client) => client.query(`CREATE ROLE ${name} LOGIN CREATEDB CREATEROLE PASSWORD 'p'`));
  return { name, connector: createConnector(target, secretsOf(name, 'p'), 'test') };
}
