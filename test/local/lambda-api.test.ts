import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient, type InvokeCommandInput } from '@aws-sdk/client-lambda';
import { startLambdaApi, type ObservedInvocation } from '../../local/aws/lambda-api';
import { LocalFunction } from '../../local/aws/lambda-runtime';
import { waitUntil } from '../../local/pass/check';
import type { HttpServer } from '../../local/runtime/http-server';

const HANDLER = `
const { existsSync } = require('node:fs');
exports.handler = async (event, context) => {
  console.log('handling ' + JSON.stringify(event));
  if (event.do === 'throw') throw new TypeError('as requested');
  while (event.until && !existsSync(event.until)) await new Promise((resolve) => setTimeout(resolve, 20));
  if (event.do === 'answer much') return 'x'.repeat(7 * 1024 * 1024);
  if (event.do === 'tell') return context.invokedFunctionArn;
  return { got: event };
};`;
const NAME = 'Ops-worker';
const ARN = `arn:aws:lambda:eu-central-1:000000000000:function:${NAME}`;

let directory: string;
let worker: LocalFunction;
let server: HttpServer;
let client: LambdaClient;
let observed: ObservedInvocation[];
let kept: unknown[];
/** An invocation that waits for it ends once the file is there. */
let gate: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lambda-api-test-'));
  gate = join(directory, 'gate');
  mkdirSync(join(directory, 'code'));
  writeFileSync(join(directory, 'code/index.js'), HANDLER);
  worker = new LocalFunction(
    {
      name: NAME,
      arn: ARN,
      folder: join(directory, 'code'),
      handler: 'index.handler',
      timeoutSeconds: 10,
      memoryMib: 128,
      reservedConcurrency: 1,
      environment: {},
      aliases: ['api'],
      logLevel: undefined,
    },
    {
      region: 'eu-central-1',
      endpoints: { s3: '', sqs: '', secretsManager: '' },
      caFile: '',
      logDirectory: join(directory, 'logs'),
    },
  );
  server = await startLambdaApi({
    functions: [worker],
    observe: (invocation) => observed.push(invocation),
    keepFailure: async ({ definition }, request, error) => {
      kept.push([definition.name, request, error]);
    },
  });
  client = new LambdaClient({
    endpoint: server.url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  });
});
beforeEach(() => {
  observed = [];
  kept = [];
  rmSync(gate, { force: true });
});
afterAll(async () => {
  client.destroy();
  worker.stop();
  await server.stop();
  rmSync(directory, { recursive: true });
});

async function invoke(event: unknown, more: Partial<InvokeCommandInput> = {}) {
  const Payload = typeof event === 'string' ? event : JSON.stringify(event);
  const output = await client.send(new InvokeCommand({ FunctionName: NAME, Payload, ...more }));
  const text = output.Payload?.transformToString() ?? '';
  return { ...output, answer: text === '' ? undefined : (JSON.parse(text) as unknown) };
}

test.each([NAME, ARN, `000000000000:function:${NAME}`, `${NAME}:$LATEST`])(
  'the SDK invokes the function named %s and gets its answer',
  async (FunctionName) => {
    const output = await invoke({ n: 1 }, { FunctionName });

    expect(output).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST', answer: { got: { n: 1 } } });
    expect([output.FunctionError, output.LogResult]).toEqual([undefined, undefined]);
  },
);

test('a function knows by which alias it was invoked', async () => {
  const { answer } = await invoke({ do: 'tell' }, { FunctionName: `${NAME}:api` });

  expect([answer, (await invoke({ do: 'tell' })).answer]).toEqual([`${ARN}:api`, ARN]);
});

test('an invocation without a payload gives the function an empty object', async () => {
  const { answer } = await invoke('', { Payload: undefined });

  expect(answer).toEqual({ got: {} });
});

test('an error of the function is an answer with its type, message and trace', async () => {
  const output = await invoke({ do: 'throw' });

  expect(output).toMatchObject({
    StatusCode: 200,
    FunctionError: 'Unhandled',
    answer: {
      errorType: 'TypeError',
      errorMessage: 'as requested',
      trace: expect.arrayContaining(['TypeError: as requested']),
    },
  });
  expect(observed).toMatchObject([{ functionName: NAME, error: { errorMessage: 'as requested' } }]);
});

test('the end of the log of this invocation alone comes with the answer on request', async () => {
  await invoke({ n: 'before' });

  const { LogResult = '' } = await invoke({ n: 'now' }, { LogType: 'Tail' });

  const log = Buffer.from(LogResult, 'base64').toString();
  expect(log).toContain('handling {"n":"now"}');
  expect(log).not.toContain('before');
});

test('an asynchronous invocation is accepted at once and runs', async () => {
  const output = await invoke({ until: gate }, { InvocationType: 'Event' });

  expect([output.StatusCode, output.answer, observed]).toEqual([202, undefined, []]);
  writeFileSync(gate, '');
  await waitUntil(async () => (observed.length === 1 ? undefined : 'it has not ended'), 5_000);
  expect(observed).toMatchObject([{ functionName: NAME, error: undefined }]);
});

test('a request without an answer that fails is kept, and one with an answer is not', async () => {
  const request = { do: 'throw' };
  await invoke(request);
  await invoke(request, { InvocationType: 'Event' });
  await waitUntil(async () => (kept.length > 0 ? undefined : 'it has not ended'), 5_000);

  expect(kept).toEqual([[NAME, request, expect.objectContaining({ errorType: 'TypeError' })]]);
});

test('a dry run invokes nothing', async () => {
  const { StatusCode } = await invoke({}, { InvocationType: 'DryRun' });

  expect([StatusCode, observed]).toEqual([204, []]);
});

test('a synchronous invocation beyond the reserved concurrency is throttled', async () => {
  const first = invoke({ until: gate });
  await waitUntil(async () => (worker.throttled ? undefined : 'the first has not begun'), 5_000);

  await expect(invoke({})).rejects.toMatchObject({ name: 'TooManyRequestsException' });

  writeFileSync(gate, '');
  expect(await first).toMatchObject({ StatusCode: 200 });
});

test.each<[string, () => Promise<unknown>, object]>([
  [
    'an unknown function',
    () => invoke({}, { FunctionName: 'Ops-other' }),
    { name: 'ResourceNotFoundException', message: expect.stringContaining('Ops-other (here are: Ops-worker)') },
  ],
  [
    'an unknown version',
    () => invoke({}, { Qualifier: '7' }),
    { name: 'ResourceNotFoundException', message: expect.stringContaining('Ops-worker:7') },
  ],
  ['a payload that is not JSON', () => invoke('{'), { name: 'InvalidRequestContentException' }],
  [
    'a payload above 1 MB for an asynchronous invocation',
    () => invoke({ text: 'x'.repeat(1_100_000) }, { InvocationType: 'Event' }),
    { name: 'RequestTooLargeException' },
  ],
])('%s is refused with the exception of Lambda, and nothing runs', async (_case, send, expected) => {
  await expect(send()).rejects.toMatchObject(expected);
  expect(observed).toEqual([]);
});

test('an answer above 6 MB is an error of the function', async () => {
  expect(await invoke({ do: 'answer much' })).toMatchObject({
    FunctionError: 'Unhandled',
    answer: { errorType: 'Function.ResponseSizeTooLarge' },
  });
});

test.each([
  ['an unsigned request', `/2015-03-31/functions/${NAME}/invocations`, {}, 403],
  ['another operation', '/2015-03-31/functions/', { authorization: 'AWS4-HMAC-SHA256 x' }, 404],
])('%s is refused', async (_case, path, headers, status) => {
  const response = await fetch(server.url + path, { method: 'POST', headers, body: '{}' });

  expect([response.status, observed]).toEqual([status, []]);
});
