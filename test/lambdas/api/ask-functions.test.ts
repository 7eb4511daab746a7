import { LambdaClient } from '@aws-sdk/client-lambda';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { askFunctions } from '../../../lambdas/api/ask-functions';

let server: Server;
beforeAll(async () => {
  server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test('the wait for a function that does not answer ends with its signal', async () => {
  const lambda = new LambdaClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
    requestHandler: { socketTimeout: 2_000 },
  });
  const ask = askFunctions(lambda, { audit: 'a', entitlements: 'e', inspect: 'i', replay: 'r' });
  await expect(ask('replay', {}, AbortSignal.timeout(50))).rejects.toMatchObject({ name: 'AbortError' });
  lambda.destroy();
});
