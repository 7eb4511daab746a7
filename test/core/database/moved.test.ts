import { setTimeout as sleep } from 'node:timers/promises';
import { createConnector, withConnection } from '../../../core/database/connector';
import { createReusableConnection } from '../../../core/database/reusable-connection';
import type { Secrets } from '../../../core/runtime/secrets';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { testServices } from '../../support/services';

/** Two databases stand for two servers: a function that has read where its database was finds where it is. */
let old: TestDatabase;
let now: TestDatabase;
beforeAll(async () => {
  [old, now] = await Promise.all([createTestDatabase('billing'), createTestDatabase('billing')]);
});
afterAll(() => Promise.all([old.drop(), now.drop()]));

type Move = Readonly<Record<string, unknown>> | undefined;

const from = () => [`${testServices().cluster.host}:${testServices().cluster.port}`];
function moved(): Move {
  const { host, port, user, password } = testServices().cluster;
  return { state: 'moved', from: from(), to: { host, port, database: now.name, username: user, password } };
}

/** Secrets of which a cached one is as it was when it was first read. */
function secretsOf(state: { move: Move }): Secrets & { readonly versions: string[] } {
  const { user: username, password } = testServices().cluster;
  const cached = { username, password, move: state.move };
  const versions: string[] = [];
  return {
    versions,
    async read(_arn, schema, version = 'cached') {
      versions.push(version);
      return schema.parse(version === 'cached' ? cached : { username, password, move: state.move });
    },
  };
}

function connectorTo(secrets: Secrets) {
  const { host, port } = testServices().cluster;
  return createConnector({ name: 'billing', host, port, database: old.name, secretArn: 'secret' }, secrets, 'test');
}

const nameOf = (connector: ReturnType<typeof connectorTo>) =>
  withConnection(connector, async (client) => client.database);

const refuseWrites = async (on: boolean) => {
  const client = await old.client();
  await client.query('SET default_transaction_read_only = off');
  await client.query(`ALTER DATABASE "${old.name}" SET default_transaction_read_only = ${on ? 'on' : 'off'}`);
};

test('a database that takes writes is not asked about, and the cached secret decides', async () => {
  const secrets = secretsOf({ move: undefined });
  expect(await nameOf(connectorTo(secrets))).toBe(old.name);
  expect(secrets.versions).toEqual(['cached']);
});

test('a server that refuses writes sends a connection to where the current secret says', async () => {
  await refuseWrites(true);
  const state = { move: undefined as Move };
  const secrets = secretsOf(state);
  // A login that only reads stays.
  expect(await nameOf(connectorTo(secrets))).toBe(old.name);
  state.move = moved();
  expect(await nameOf(connectorTo(secrets))).toBe(now.name);
  // Another server with the same credentials is not redirected.
  state.move = { ...moved(), from: ['another.example.com:5432'] };
  expect(await nameOf(connectorTo(secrets))).toBe(old.name);
  await refuseWrites(false);
});

test('a connection waits while the database is being moved', async () => {
  await refuseWrites(true);
  const state: { move: Move } = { move: { state: 'moving', from: from() } };
  const name = nameOf(connectorTo(secretsOf(state)));
  expect(await Promise.race([name, sleep(300, 'waits')])).toBe('waits');
  state.move = moved();
  expect(await name).toBe(now.name);
  await refuseWrites(false);
});

test('a connection that is refused a write is replaced by one that the current secret names', async () => {
  const state = { move: undefined as Move };
  const connection = createReusableConnection(connectorTo(secretsOf(state)));
  await connection.use((client) => client.query('SELECT 1'));
  state.move = moved();
  const names: (string | undefined)[] = [];
  await connection.use(async (client) => {
    names.push(client.database);
    // As the trigger of a server whose database moved, which a session meets that was open before.
    if (client.database === old.name) await client.query('SET TRANSACTION READ ONLY; CREATE TABLE t ()');
  });
  await connection.close();
  expect(names).toEqual([old.name, now.name]);
});
