import { openEntitlementCache } from '../../../core/entitlements/open-cache';
import { createTelemetry } from '../../../core/runtime/telemetry';
import { emittedMetrics, type EmfRecord } from '../../support/started-function';

afterEach(() => {
  jest.restoreAllMocks();
});

test('a cache that does not answer is counted without the dimensions that an invocation has added', async () => {
  const records: EmfRecord[] = [];
  const keep = (line: string | Uint8Array) => {
    if (String(line).includes('"_aws"')) records.push(JSON.parse(String(line)) as EmfRecord);
    return true;
  };
  for (const stream of [process.stdout, process.stderr]) jest.spyOn(stream, 'write').mockImplementation(keep);
  const telemetry = createTelemetry('row-recovery', { ENVIRONMENT_NAME: 'test', LOG_LEVEL: 'WARN' });
  // As a function does whose metrics are by database.
  telemetry.metrics.addDimension('database', 'billing');
  const cache = openEntitlementCache('redis://127.0.0.1:1', telemetry);
  await cache.invalidate([{ userId: 'user_1', projectId: 'project_1', version: 1 }]);
  telemetry.metrics.publishStoredMetrics();
  expect(emittedMetrics(records)).toEqual([
    {
      name: 'CacheUnavailable',
      dimensions: { environment: 'test', service: 'row-recovery' },
      unit: 'Count',
      value: expect.anything() as unknown,
    },
  ]);
});
