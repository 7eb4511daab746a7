import * as z from 'zod';
import { databaseName, type OperationContract } from '../../../core/runtime/contract';
import { OperationError } from '../../../core/runtime/errors';
import { operation, type OperationDefinition } from '../../../core/runtime/operation';
import { createTelemetry, MetricUnit } from '../../../core/runtime/telemetry';
import { emittedMetrics, startFunction } from '../../support/started-function';

const contract = {
  request: z.strictObject({ database: databaseName, rules: z.array(z.string()).optional() }),
  report: z.strictObject({ rows: z.int() }),
  effect: 'reads',
} as const satisfies OperationContract;
type Definition = OperationDefinition<z.infer<typeof contract.request>, z.infer<typeof contract.report>>;

/** Invokes an operation, and returns its result, its metrics and its log. */
async function invoke(changes: Partial<Definition>, event: unknown, remainingMs = 60_000, alias?: string) {
  const handler = operation(contract, {
    name: 'Counting',
    telemetry: createTelemetry('counting', { ENVIRONMENT_NAME: 'test', LOG_LEVEL: 'INFO' }),
    byDatabase: true,
    run: async () => ({ rows: 3 }),
    measure: (metrics, { rows }) => metrics.addMetric('Rows', MetricUnit.Count, rows),
    failedMetric: 'CountingFailed',
    ...changes,
  });
  const started = await startFunction(async () => ({ handler: handler }), {});
  const invocation = started.invoke(event, remainingMs, alias);
  const [outcome] = await Promise.allSettled([invocation.result]);
  const log = invocation.logLines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const metrics = emittedMetrics(invocation.records).map(({ name, value, dimensions }) => ({
    name,
    value,
    dimensions,
  }));
  return { outcome, log, metrics, records: invocation.records };
}

const request = { database: 'billing', rules: ['not for the log'] };
const dimensions = { environment: 'test', service: 'counting', database: 'billing' };

afterEach(() => {
  jest.restoreAllMocks();
});

test('an operation that succeeds logs its report and publishes its metrics as one record', async () => {
  const { outcome, log, metrics, records } = await invoke({}, request);

  expect(outcome).toEqual({ status: 'fulfilled', value: { rows: 3 } });
  expect(log).toEqual([
    expect.objectContaining({ level: 'INFO', message: 'Counting finished', rows: 3, requestId: 'request-1' }),
  ]);
  expect(metrics).toEqual([{ name: 'Rows', value: 3, dimensions }]);
  expect(records).toHaveLength(1);
});

test('an operation that is invoked by an alias its contract does not have is refused and counted', async () => {
  const { outcome, metrics } = await invoke({}, request, 60_000, 'api');

  expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'not_admitted', name: 'NotAdmitted' } });
  expect(metrics).toEqual([{ name: 'CountingFailed', value: 1, dimensions }]);
});

test('an operation that fails logs the code, counts the failure once, and throws an error named after the code', async () => {
  const error = new OperationError('store_unavailable', 'S3 is away');
  const { outcome, log, metrics } = await invoke({ run: () => Promise.reject(error) }, request);

  expect(outcome).toEqual({ status: 'rejected', reason: error });
  expect(error.name).toBe('StoreUnavailable');
  expect(log).toEqual([
    expect.objectContaining({
      level: 'ERROR',
      message: 'Counting failed',
      database: 'billing',
      code: 'store_unavailable',
      error: 'S3 is away',
    }),
  ]);
  expect(JSON.stringify(log)).not.toContain('not for the log');
  expect(metrics).toEqual([{ name: 'CountingFailed', value: 1, dimensions }]);
});

test('an error that the platform did not throw becomes `unexpected`, with its stack in the log', async () => {
  const cause = new TypeError('undefined is not a function');
  const { outcome, log } = await invoke({ run: () => Promise.reject(cause) }, request);

  expect(outcome).toMatchObject({
    status: 'rejected',
    reason: { name: 'Unexpected', code: 'unexpected', message: 'undefined is not a function', cause },
  });
  expect(log).toEqual([expect.objectContaining({ code: 'unexpected', stack: expect.stringContaining('TypeError') })]);
});

test.each([
  ['of a known database', { database: 'billing', rows: 1 }, { ...dimensions }],
  ['of no known database', { database: 'biling' }, { environment: 'test', service: 'counting' }],
])('a malformed request %s never runs and counts as one failure', async (_, event, expected) => {
  const run = jest.fn<Promise<{ rows: number }>, []>();
  const { outcome, metrics } = await invoke({ run }, event);

  expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'invalid_request' } });
  expect(run).not.toHaveBeenCalled();
  expect(metrics).toEqual([{ name: 'CountingFailed', value: 1, dimensions: expected }]);
});

test('a report that fails to be measured counts as one failure and publishes what was added before', async () => {
  const measure: Definition['measure'] = (metrics) => {
    metrics.addMetric('Rows', MetricUnit.Count, 1);
    throw new Error('no more');
  };
  const { metrics, records } = await invoke({ measure }, request);
  expect(metrics.map(({ name, value }) => [name, value])).toEqual([
    ['Rows', 1],
    ['CountingFailed', 1],
  ]);
  expect(records).toHaveLength(1);
});

test('an operation without metrics publishes none, and leaves no dimension to the next invocation', async () => {
  const telemetry = createTelemetry('counting', { ENVIRONMENT_NAME: 'test', LOG_LEVEL: 'INFO' });
  const silent = await invoke({ telemetry, measure: () => undefined }, request);
  expect(silent.records).toEqual([]);
  expect(silent.log).toHaveLength(1);

  const { metrics } = await invoke({ telemetry }, { database: 'main' });
  expect(metrics).toEqual([{ name: 'Rows', value: 3, dimensions: { ...dimensions, database: 'main' } }]);
});

test('the reserve is taken from the time of the work, and the signal aborts when that time is up', async () => {
  const seen: [number, boolean][] = [];
  const run: Definition['run'] = async (_, { remainingMs, stop }) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    seen.push([remainingMs(), stop.aborted]);
    return { rows: 0 };
  };
  await invoke({ run, reserveMs: 20_000 }, request, 60_000);
  await invoke({ run, reserveMs: 20_000 }, request, 15_000);
  expect(seen).toEqual([
    [40_000, false],
    [-5_000, true],
  ]);
});

test('a summary decides what the log says about a report, and at which level', async () => {
  const summarise: Definition['summarise'] = ({ rows }) => ({
    message: 'Unsound',
    level: 'error',
    details: { found: rows },
  });
  const { outcome, log, metrics } = await invoke({ summarise }, request);

  expect(outcome).toMatchObject({ status: 'fulfilled' });
  expect(log).toEqual([expect.objectContaining({ level: 'ERROR', message: 'Unsound', found: 3 })]);
  expect(metrics).toEqual([{ name: 'Rows', value: 3, dimensions }]);
});

test('the duration is published however the invocation ends', async () => {
  const durationMetric = 'CountingDuration';
  const ended = [
    await invoke({ durationMetric }, request),
    await invoke({ durationMetric, run: () => Promise.reject(new Error('no')) }, request),
  ];
  for (const { metrics } of ended) {
    expect(metrics).toContainEqual({ name: 'CountingDuration', value: expect.any(Number), dimensions });
  }
});
