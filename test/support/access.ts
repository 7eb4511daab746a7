import { randomBytes } from 'node:crypto';
import { Client, type ClientBase, type QueryResult } from 'pg';
import { applyAccess } from '../../core/access/apply';
import { planAccess } from '../../core/access/plan';
import { ACCESS_POLICIES } from '../../core/access/policy';
import { createConnector } from '../../core/database/connector';
import { asAdministrator, clusterTarget, type TestDatabase } from './database';
import { secretsOf } from './roles';

/** A login of the test cluster that is a member of a group, for as long as a test runs. */
export interface Member {
  readonly name: string;
  query(sql: string): Promise<QueryResult>;
  end(): Promise<void>;
}

/** Adopts the policy of billing in the database of an owner's session, which may then do what a group may, and no more. */
export async function restrictTo(group: string, client: ClientBase): Promise<void> {
  const wishes = { name: 'billing', logins: [], people: [], keep: [], whole: true } as const;
  await applyAccess(client, (await planAccess(client, ACCESS_POLICIES.billing, wishes)).changes);
  await client.query(`SET ROLE ${group}`);
}

/** Logs in as a new user that is a member of a group and has nothing of its own. */
export async function loginAs(group: string, { name: database }: TestDatabase): Promise<Member> {
  const name = `member_${randomBytes(6).toString('hex')}`;
  await asAdministrator((client) => client.query(`CREATE ROLE ${name} LOGIN PASSWORD 'p' IN ROLE ${group}`));
  let client: Client | undefined;
  return {
    name,
    async query(sql) {
      client ??= await createConnector(clusterTarget(database), secretsOf(name, 'p'), 'test').connect();
      return client.query(sql);
    },
    async end() {
      await client?.end();
      await asAdministrator((administrator) => administrator.query(`DROP ROLE ${name}`));
    },
  };
}
