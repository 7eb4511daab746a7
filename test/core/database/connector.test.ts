import { Client } from 'pg';
import { createConnector } from '../../../core/database/connector';

const target = { name: 'billing', host: 'db.internal', port: 5432, database: 'billing', secretArn: 'arn' } as const;
const secrets = { read: async () => ({ username: 'app', password: 'secret' }) as never };
const connector = createConnector(target, secrets, 'api', {
  role: 'billing_api',
  statementTimeoutMs: 10_000,
  jit: false,
});

let query: jest.SpyInstance;
let end: jest.SpyInstance;

beforeEach(() => {
  jest.spyOn(Client.prototype, 'connect').mockResolvedValue(undefined as never);
  query = jest.spyOn(Client.prototype, 'query').mockResolvedValue(undefined as never);
  end = jest.spyOn(Client.prototype, 'end').mockResolvedValue(undefined as never);
});
afterEach(() => {
  jest.restoreAllMocks();
});

test('role, limit and the like are set by statements: RDS Proxy and PgBouncer refuse them as startup parameters', async () => {
  const client = (await connector.connect()) as Client & { getStartupConf(): Readonly<Record<string, string>> };
  expect(client.getStartupConf()).toEqual({ user: 'app', database: 'billing', application_name: 'api' });
  expect(query.mock.calls).toEqual([['SET ROLE "billing_api"; SET statement_timeout = 10000; SET jit = off']]);
});

test('a connection whose user may not take the role is ended, and the error tells why', async () => {
  query.mockRejectedValue(new Error('permission denied to set role "billing_api"'));
  await expect(connector.connect()).rejects.toMatchObject({
    code: 'database_unavailable',
    message: expect.stringContaining('permission denied to set role') as string,
  });
  expect(end).toHaveBeenCalledTimes(1);
});
