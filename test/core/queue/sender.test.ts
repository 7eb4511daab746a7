import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createQueueSender } from '../../../core/queue/sender';
import { createSigner } from '../../../core/queue/sign-request';

const QUEUE_URL = 'https://sqs.eu-central-1.amazonaws.com/000000000000/events';
const MESSAGE = '{"id":"evt_1","note":"whsec_of_a_customer"}';

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

let server: Server;
let received: Received[];
/** Answers of the queue, in turn; the last one repeats. */
let answers: ((response: ServerResponse) => void)[];
let endpoint: string;

const taken = (response: ServerResponse) => response.writeHead(200).end('{"MessageId":"m"}');
const refused = (status: number, type: string) => (response: ServerResponse) =>
  response.writeHead(status).end(JSON.stringify({ __type: `com.amazon.coral.service#${type}` }));
const cutOff = (response: ServerResponse) => response.socket?.destroy();
const silent = () => undefined;

beforeEach(async () => {
  received = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const answer = answers[Math.min(received.length, answers.length - 1)];
      received.push({ headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString('utf8')) });
      answer?.(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const environment = () => ({
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'AKID',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_SESSION_TOKEN: 'session',
  AWS_ENDPOINT_URL_SQS: endpoint,
});
const sender = (own = environment()) => createQueueSender(QUEUE_URL, own, { connectMs: 1_000, answerMs: 200 });

test('a message reaches the queue with its provider and the current credentials', async () => {
  answers = [taken];
  const changing = environment();
  const send = sender(changing);
  await send(MESSAGE, 'stripe');
  changing.AWS_SESSION_TOKEN = 'renewed';
  await send(MESSAGE, 'stripe');

  const sent = {
    QueueUrl: QUEUE_URL,
    MessageBody: MESSAGE,
    MessageAttributes: { provider: { DataType: 'String', StringValue: 'stripe' } },
  };
  expect(received.map(({ body }) => body)).toEqual([sent, sent]);
  expect(received.map(({ headers }) => headers['x-amz-security-token'])).toEqual(['session', 'renewed']);
  expect(received[0]?.headers).toMatchObject({
    'x-amz-target': 'AmazonSQS.SendMessage',
    authorization: expect.stringMatching(/Credential=AKID\/\d{8}\/eu-central-1\/sqs\/aws4_request/),
  });
});

test('a message carries the trace of the call that sends it, and none where there is none', async () => {
  answers = [taken];
  const changing = environment();
  const send = createQueueSender(QUEUE_URL, changing);
  const traces = [
    'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1',
    'Root=1-2;Sampled=0',
    '',
  ];
  for (const trace of traces) {
    Object.assign(changing, { _X_AMZN_TRACE_ID: trace });
    await send(MESSAGE, 'stripe');
  }

  expect(received.map(({ body }) => (body as { MessageSystemAttributes?: unknown }).MessageSystemAttributes)).toEqual([
    { AWSTraceHeader: { DataType: 'String', StringValue: traces[0] } },
    { AWSTraceHeader: { DataType: 'String', StringValue: traces[1] } },
    undefined,
  ]);
});

test.each([
  ['fails', refused(503, 'ServiceUnavailable')],
  ['throttles', refused(400, 'RequestThrottled')],
  ['cuts the connection', cutOff],
  ['does not answer', silent],
])('a message is sent again to a queue that %s once', async (_what, fault) => {
  answers = [fault, taken];
  await sender()(MESSAGE, 'stripe');

  expect(received).toHaveLength(2);
});

test.each([
  ['fails', refused(500, 'InternalError'), 3, 'SQS answered 500'],
  ['cuts every connection', cutOff, 3, 'socket hang up'],
  ['never answers', silent, 3, 'No answer within 200 ms'],
  ['refuses the function', refused(403, 'AccessDenied'), 1, 'AccessDenied'],
])(
  'sending to a queue that %s fails with a reason that repeats nothing of the message',
  async (_what, fault, attempts, reason) => {
    answers = [fault];
    const failure: Error = await sender()(MESSAGE, 'stripe').then(
      () => Promise.reject(new Error('It was sent')),
      (error: Error) => error,
    );

    expect(failure).toMatchObject({ code: 'queue_unavailable', retryable: true });
    expect(failure.message).toContain(reason);
    expect(failure.message).not.toContain('whsec_of_a_customer');
    expect(received).toHaveLength(attempts);
  },
);

test('the connection is kept for the next message', async () => {
  answers = [taken];
  const sockets = new Set<unknown>();
  server.on('connection', (socket) => sockets.add(socket));
  const send = sender();
  await send(MESSAGE, 'stripe');
  await send(MESSAGE, 'stripe');

  expect(sockets.size).toBe(1);
});

describe('request signatures', () => {
  const scope = {
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
    region: 'us-east-1',
    service: 'service',
  };
  const at = new Date('2015-08-30T12:36:00Z');

  test("equal those of AWS's own test suite (post-vanilla, post-header-key-sort)", () => {
    const sign = createSigner();
    const signatureOf = (headers: Record<string, string>) =>
      /Signature=(\w+)$/.exec(
        sign({ host: 'example.amazonaws.com', headers, body: '' }, scope, at).authorization ?? '',
      )?.[1];

    expect(signatureOf({})).toBe('5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b');
    expect(signatureOf({ 'my-header1': 'value1' })).toBe(
      'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
    );
  });

  test('differ for another key, day or region', () => {
    const sign = createSigner();
    const signed = (changes: Partial<typeof scope>, now = at) =>
      sign({ host: 'h', headers: {}, body: 'b' }, { ...scope, ...changes }, now).authorization;
    const all = [
      signed({}),
      signed({ region: 'eu-central-1' }),
      signed({ credentials: { ...scope.credentials, secretAccessKey: 'other' } }),
      signed({}, new Date('2015-08-31T12:36:00Z')),
    ];

    expect(new Set(all.map((authorization) => authorization?.split('Signature=')[1])).size).toBe(all.length);
    expect(signed({})).toBe(all[0]);
  });
});
