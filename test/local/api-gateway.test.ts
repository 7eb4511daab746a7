import type { APIGatewayProxyEvent } from 'aws-lambda';
import { startApiGateway } from '../../local/aws/api-gateway';
import type { HttpServer } from '../../local/runtime/http-server';

const API = {
  routes: [
    { method: 'POST', path: '/hooks/{name}', functionArn: 'arn:hook' },
    { method: 'ANY', path: '/files/{path+}', functionArn: 'arn:files' },
  ],
  binaryMediaTypes: ['application/*'],
};

let gateway: HttpServer;
let calls: { arn: string; event: APIGatewayProxyEvent }[];
let logged: string[];
let answer: () => unknown;

beforeEach(async () => {
  [calls, logged] = [[], []];
  answer = () => ({ statusCode: 202, body: 'taken', headers: { 'x-one': '1' } });
  gateway = await startApiGateway({
    api: API,
    log: (message) => logged.push(message),
    invoke: async (arn, event) => {
      calls.push({ arn, event });
      return answer();
    },
  });
});
afterEach(async () => {
  await gateway.stop();
});

test('a binary body reaches the function byte for byte, in base64', async () => {
  const body = Buffer.from([0, 255, 10, 13]);

  const response = await fetch(`${gateway.url}/hooks/stripe?a=1&a=2`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json; charset=utf-8', 'X-Custom': 'v' },
  });

  expect([response.status, await response.text(), response.headers.get('x-one')]).toEqual([202, 'taken', '1']);
  expect(calls).toMatchObject([
    {
      arn: 'arn:hook',
      event: {
        httpMethod: 'POST',
        path: '/hooks/stripe',
        resource: '/hooks/{name}',
        pathParameters: { name: 'stripe' },
        queryStringParameters: { a: '2' },
        multiValueQueryStringParameters: { a: ['1', '2'] },
        isBase64Encoded: true,
        body: body.toString('base64'),
        multiValueHeaders: { 'X-Custom': ['v'] },
      },
    },
  ]);
});

test('a text body stays text', async () => {
  await fetch(`${gateway.url}/hooks/x`, { method: 'POST', body: 'hé', headers: { 'content-type': 'text/plain' } });

  expect(calls[0]?.event).toMatchObject({ isBase64Encoded: false, body: 'hé' });
});

test('a greedy parameter takes the rest of the path, for any method', async () => {
  await fetch(`${gateway.url}/files/a/b`, { method: 'DELETE' });

  expect(calls).toMatchObject([{ arn: 'arn:files', event: { pathParameters: { path: 'a/b' }, body: null } }]);
});

test.each([
  ['an unknown path', 'POST', '/nothing'],
  ['an unknown method', 'GET', '/hooks/x'],
])('%s is refused as API Gateway does, and no function runs', async (_case, method, path) => {
  const response = await fetch(`${gateway.url}${path}`, { method });

  expect([response.status, await response.json()]).toEqual([403, { message: 'Missing Authentication Token' }]);
  expect(calls).toEqual([]);
});

test('what API Gateway answers itself has the status, headers and body that the template gives it', async () => {
  const answered = await startApiGateway({
    api: {
      ...API,
      answers: {
        MISSING_AUTHENTICATION_TOKEN: {
          status: 404,
          headers: { 'content-type': 'a/b', 'x-one': '1' },
          body: '{"code":1}',
        },
        DEFAULT_5XX: { status: undefined, headers: {}, body: '{"code":2}' },
      },
    },
    invoke: () => Promise.reject(new Error('broken')),
    log: () => undefined,
  });
  const unknown = await fetch(`${answered.url}/nothing`);
  const broken = await fetch(`${answered.url}/hooks/x`, { method: 'POST' });
  await answered.stop();
  expect([unknown.status, unknown.headers.get('content-type'), unknown.headers.get('x-one')]).toEqual([
    404,
    'a/b',
    '1',
  ]);
  expect([broken.status, await unknown.text(), await broken.text()]).toEqual([502, '{"code":1}', '{"code":2}']);
});

test('a body above 10 MB is refused with 413, and no function runs', async () => {
  const response = await fetch(`${gateway.url}/hooks/x`, { method: 'POST', body: Buffer.alloc(10 * 1024 * 1024 + 1) });

  expect([response.status, await response.json()]).toEqual([413, { message: 'Request Too Long' }]);
  expect(calls).toEqual([]);
});

test.each<[string, () => unknown, string]>([
  [
    'throws',
    () => {
      throw new Error('broken');
    },
    'broken',
  ],
  ['answers nonsense', () => 'nonsense', 'statusCode'],
])('the caller gets 502 when the function %s, and the log says why', async (_case, failing, reason) => {
  answer = failing;

  const response = await fetch(`${gateway.url}/hooks/x`, { method: 'POST' });

  expect([response.status, await response.json()]).toEqual([502, { message: 'Internal server error' }]);
  expect(logged.join()).toContain(reason);
});

test('a port that is taken is an error', async () => {
  const start = startApiGateway({ api: API, invoke: async () => undefined, log: () => undefined, port: gateway.port });

  await expect(start).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
