import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalFunction } from '../../local/aws/lambda-runtime';
import type { FunctionDefinition } from '../../local/template/platform-template';

const HANDLER = `
let invocations = 0;
exports.handler = async (event, context) => {
  invocations += 1;
  switch (event.do) {
    case 'throw': throw new TypeError('as requested');
    case 'crash': process.exit(3);
    case 'hang': return new Promise(() => setInterval(() => {}, 1000));
    case 'sleep': await new Promise((resolve) => setTimeout(resolve, 100)); break;
  }
  console.log(JSON.stringify({ message: 'handled' }));
  return {
    event, invocations, pid: process.pid, environment: process.env,
    remaining: context.getRemainingTimeInMillis(), arn: context.invokedFunctionArn, nothing: undefined,
  };
};`;

interface Result {
  readonly event: unknown;
  readonly invocations: number;
  readonly pid: number;
  readonly environment: Record<string, string>;
  readonly remaining: number;
  readonly arn: string;
}

let directory: string;
const started: LocalFunction[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'runtime-test-'));
  mkdirSync(join(directory, 'code'));
});
afterEach(() => {
  for (const each of started.splice(0)) each.stop();
  rmSync(directory, { recursive: true });
});

function start(overrides: Partial<FunctionDefinition> = {}, code = HANDLER): LocalFunction {
  writeFileSync(join(directory, 'code/index.js'), code);
  const definition = {
    name: 'worker',
    arn: 'arn:aws:lambda:eu-central-1:000000000000:function:worker',
    folder: join(directory, 'code'),
    handler: 'index.handler',
    timeoutSeconds: 10,
    memoryMib: 128,
    reservedConcurrency: 1,
    environment: { OWN: 'value', NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem' },
    logLevel: undefined,
    ...overrides,
  };
  const endpoints = { s3: 'http://s3', sqs: 'http://sqs', secretsManager: 'http://secrets' };
  const surroundings = { region: 'eu-central-1', endpoints, caFile: '/ca.pem', logDirectory: join(directory, 'logs') };
  const local = new LocalFunction(definition, surroundings);
  started.push(local);
  return local;
}

test('a handler gets its event and context, and answers through JSON', async () => {
  const result = (await start().invoke({ do: 'answer' })) as Result;

  expect(result).toMatchObject({ event: { do: 'answer' }, arn: expect.stringMatching(/:function:worker$/) });
  expect(result.remaining).toBeGreaterThan(5_000);
  expect(result).not.toHaveProperty('nothing');
});

test('a handler sees its own environment and the endpoints of this machine, and nothing of ours', async () => {
  process.env.SECRET_OF_THE_PARENT = 'x';

  const { environment } = (await start().invoke({})) as Result;

  expect(environment).toMatchObject({ OWN: 'value', AWS_ENDPOINT_URL_S3: 'http://s3', NODE_EXTRA_CA_CERTS: '/ca.pem' });
  expect(environment).not.toHaveProperty('SECRET_OF_THE_PARENT');
});

test('a second invocation reuses the process', async () => {
  const worker = start();

  const results = [await worker.invoke({}), await worker.invoke({})] as Result[];

  expect(results.map(({ invocations }) => invocations)).toEqual([1, 2]);
});

test('a thrown error arrives in the shape of Lambda, and the process survives it', async () => {
  const worker = start();

  await expect(worker.invoke({ do: 'throw' })).rejects.toMatchObject({
    errorType: 'TypeError',
    errorMessage: 'as requested',
  });

  expect(await worker.invoke({})).toMatchObject({ invocations: 2 });
});

test('a crash is an error, and the next invocation gets another process', async () => {
  const worker = start();

  await expect(worker.invoke({ do: 'crash' })).rejects.toMatchObject({
    errorType: 'Runtime.ExitError',
    errorMessage: expect.stringContaining('exit status 3'),
  });

  expect(await worker.invoke({})).toMatchObject({ invocations: 1 });
});

test('a handler that hangs is killed at its timeout', async () => {
  const worker = start({ timeoutSeconds: 0.2 });

  await expect(worker.invoke({ do: 'hang' })).rejects.toMatchObject({ errorType: 'Sandbox.Timedout' });
});

test('code that cannot be loaded is an error that names its log', async () => {
  const worker = start({}, `require('not-there');`);

  await expect(worker.invoke({})).rejects.toMatchObject({
    errorType: 'Runtime.ImportModuleError',
    message: expect.stringContaining(worker.logFile),
  });
});

test('no more processes run than the concurrency allows, and all invocations are served', async () => {
  const worker = start({ reservedConcurrency: 2 });

  const results = (await Promise.all([1, 2, 3, 4].map(() => worker.invoke({ do: 'sleep' })))) as Result[];

  expect(new Set(results.map(({ pid }) => pid)).size).toBe(2);
});

test('the output of a function is in its log', async () => {
  const worker = start();

  await worker.invoke({});

  expect(readFileSync(worker.logFile, 'utf8')).toContain('{"message":"handled"}');
});

test('a stopped function has no process left and refuses invocations', async () => {
  const worker = start();
  const { pid } = (await worker.invoke({})) as Result;

  worker.stop();

  await expect(worker.invoke({})).rejects.toThrow(/was stopped/);
  await expect(
    (async () => {
      for (let tries = 0; tries < 200; tries += 1) {
        process.kill(pid, 0);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    })(),
  ).rejects.toMatchObject({ code: 'ESRCH' });
});
