import { once } from 'node:events';
import { connect } from 'node:net';
import { startApiGateway } from '../../local/aws/api-gateway';
import { startSecretsManager } from '../../local/aws/secrets-manager';
import { startStripeStandIn } from '../../local/stripe/stand-in';
import { testServices } from '../support/services';

/** Status of the answer to a request whose target no HTTP client would send. */
async function statusOf(port: number, target: string): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  await once(socket, 'close');
  return Number(answer.split(' ')[1]);
}

interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

const SERVERS: Readonly<Record<string, () => Promise<Server>>> = {
  'API Gateway': () =>
    startApiGateway({
      api: { routes: [{ method: 'ANY', path: '/{proxy+}', functionArn: 'arn' }], binaryMediaTypes: [] },
      invoke: async () => ({ statusCode: 200 }),
      log: () => undefined,
    }),
  Stripe: startStripeStandIn,
  'Secrets Manager': async () => {
    const { endpoint, stop } = await startSecretsManager();
    return { url: endpoint, stop };
  },
  // The one of the whole run, which stays up.
  'S3 and SQS': async () => ({ url: testServices().awsEndpoint, stop: async () => undefined }),
};

describe.each(Object.keys(SERVERS))('the stand-in for %s', (name) => {
  let server: Server;
  beforeAll(async () => {
    server = await (SERVERS[name] as () => Promise<Server>)();
  });
  afterAll(() => server.stop());

  test.each(['//[', '/%zz', '*', 'http://['])('answers the malformed URL %s with 400 and stays up', async (target) => {
    const { port } = new URL(server.url);
    const statuses = [await statusOf(Number(port), target), await statusOf(Number(port), target)];
    expect(statuses).toEqual([400, 400]);
  });
});
