import { createHash, createHmac } from 'node:crypto';
import { connectToken } from '../../../core/cache/connect-token';
import { createCache } from '../../../core/cache/connection';
import { startRecordingServer } from '../../support/cache-server';

const USER = 'billing-operations-dev';
const NOW = new Date('2026-11-29T12:00:00Z');
const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_SESSION_TOKEN: 'session/+=',
  AWS_REGION: 'eu-central-1',
};
const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest();

/** As ElastiCache computes it, by the documentation of Signature Version 4. */
function signatureOf(parameters: URLSearchParams): string {
  const encode = (text: string) =>
    encodeURIComponent(text).replaceAll(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...parameters]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted()
    .join('&');
  const empty = createHash('sha256').update('').digest('hex');
  const canonical = ['GET', '/', query, `host:${USER}`, '', 'host', empty].join('\n');
  const scope = '20261129/eu-central-1/elasticache/aws4_request';
  const hash = createHash('sha256').update(canonical).digest('hex');
  const key = ['20261129', 'eu-central-1', 'elasticache', 'aws4_request'].reduce<Buffer | string>(hmac, 'AWS4secret');
  return hmac(key, ['AWS4-HMAC-SHA256', '20261129T120000Z', scope, hash].join('\n')).toString('hex');
}

test('a token is a request to connect as the user, to the cache of the same name, signed for a quarter of an hour', async () => {
  const [host, query] = (await connectToken(USER, NOW, ENVIRONMENT)).split('/?');
  const parameters = new URLSearchParams(query);

  expect(host).toBe(USER);
  expect(Object.fromEntries(parameters)).toMatchObject({
    Action: 'connect',
    User: USER,
    ResourceType: 'ServerlessCache',
    'X-Amz-Expires': '900',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Security-Token': 'session/+=',
  });
  expect(parameters.get('X-Amz-Signature')).toBe(signatureOf(parameters));
});

test('without credentials, what is missing is named', async () => {
  await expect(connectToken(USER, NOW, { AWS_REGION: 'eu-central-1' })).rejects.toThrow(/^AWS_ACCESS_KEY_ID/);
});

describe('a connection', () => {
  const before = Object.keys(ENVIRONMENT).map((name) => [name, process.env[name]] as const);
  beforeAll(() => Object.assign(process.env, ENVIRONMENT));
  afterAll(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  test('to a cache with users begins with the user and a token of its own; one without users says nothing of the kind', async () => {
    const server = await startRecordingServer();
    const used = async (url: string) => {
      const cache = createCache({ url, onUnavailable: () => undefined, deadlineMs: 5_000 });
      expect(await cache.use((commands) => commands.get('key'))).toBe('OK');
      cache.close();
    };
    await used(server.url.replace('redis://', `redis://${USER}@`));
    const greeting = server.commands.find((command) => command.includes(USER));
    expect(greeting).toEqual(
      expect.arrayContaining(['AUTH', USER, expect.stringMatching(`^${USER}/\\?Action=connect&`)]),
    );

    const known = server.commands.length;
    await used(server.url);
    expect(server.commands.slice(known).flat()).not.toContain('AUTH');
    await server.close();
  });
});
