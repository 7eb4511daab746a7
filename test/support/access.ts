import { randomBytes } from 'node:crypto';
import { Client, type QueryResult } from 'pg';
import { createConnector } from '../../core/database/connector';
import { asAdministrator, clusterTarget, type TestDatabase } from './database';
import { secretsOf } from './roles';

/** A login of the test cluster that is a member of a group, for as long as a test runs. */
export interface Member {
  readonly name: string;
  query(sql: string): Promise<QueryResult>;
  end(): Promise<void>;
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
