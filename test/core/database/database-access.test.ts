import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Client } from 'pg';
import { createConnector } from '../../../core/database/connector';
import type { Secrets } from '../../../core/runtime/secrets';
import { clusterSecrets, clusterTarget, createTestDatabase, type TestDatabase } from '../../support/database';
import { testServices } from '../../support/services';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase('billing');
});
afterAll(() => database.drop());

/** The credentials of the test cluster with some fields changed. */
function secretsWith(changed: Partial<Record<'username' | 'password', string>>): Secrets {
  return {
    read: async (arn, schema) =>
      schema.parse({ ...((await clusterSecrets().read(arn, schema)) as object), ...changed }),
  };
}

test('the server rejects a connection without TLS, even with the right credentials', async () => {
  const { host, port, user, password } = testServices().cluster;
  const plain = new Client({ host, port, user, password, database: database.name, ssl: false });
  await expect(plain.connect()).rejects.toMatchObject({
    code: '28000',
    message: expect.stringContaining('no encryption') as string,
  });
});

test('the functions connect over TLS', async () => {
  const client = await database.client();
  const session = await client.query('SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
  expect(session.rows).toEqual([{ ssl: true, version: expect.stringMatching(/^TLSv1\.[23]$/) as string }]);
});

test('a server that offers no TLS receives nothing, not even a user name', async () => {
  const received: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      received.push(chunk);
      // PostgreSQL's answer to a request for TLS that it cannot serve.
      socket.write('N');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const connector = createConnector({ ...clusterTarget('billing'), port }, clusterSecrets(), 'test');
    await expect(connector.connect()).rejects.toMatchObject({ code: 'database_unavailable' });
    // Only the request for TLS, of eight bytes.
    expect(Buffer.concat(received).toString('hex')).toBe('0000000804d2162f');
  } finally {
    server.close();
  }
});

test.each([
  ['the user of another database', { username: 'main_admin' }],
  ['the password of another database', { password: 'of main' }],
])('%s cannot connect', async (_whose, changed) => {
  const connector = createConnector(clusterTarget(database.name), secretsWith(changed), 'test');
  const refusal: unknown = await connector.connect().catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: 'database_unavailable', cause: { code: '28P01' } });
  expect(String(refusal)).not.toContain(testServices().cluster.password);
});
