import { readFileSync } from 'node:fs';
import path from 'node:path';
import { checkEnvironment, environmentJsonSchema } from '../../../lib/config/environment-schema';
import { SIZE_DEFAULTS, SIZES, withSize } from '../../../lib/config/sizes';
import { ACKNOWLEDGED_PER_SECOND, CORE_MS, costOfSize, needOf } from '../../docs/sizes';

const settings = {
  name: 'dev',
  account: '111111111111',
  region: 'eu-central-1',
  allowedRegions: ['eu-central-1'],
  availabilityZones: ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'],
  removalProtection: false,
  logLevel: 'INFO',
  stripe: { livemode: false },
  runbookUrl: 'https://example.com/runbook',
};
const existing = {
  kind: 'existing',
  host: 'db.example.com',
  port: 5432,
  databaseName: 'main',
  secretArn: 'arn:aws:secretsmanager:eu-central-1:111111111111:secret:main-AbCdEf',
  allocatedStorageGiB: 20,
};
const configOf = (input: object) => {
  const checked = checkEnvironment({ ...settings, ...input });
  if ('problems' in checked) throw new Error(checked.problems.map(({ text }) => text).join('; '));
  return checked.config;
};

test.each(SIZES)(
  'an environment that names the size %s and no databases is complete, with the values of the size',
  (size) => {
    const { databases, cache, processorConcurrency } = SIZE_DEFAULTS[size];
    expect(configOf({ size })).toMatchObject({ databases, cache, processorConcurrency });
  },
);

test('a setting goes before the size, each by itself', () => {
  const config = configOf({
    size: 'large',
    databases: { billing: { instanceClass: 'r8g.large', proxy: false } },
    cache: { kind: 'none' },
    processorConcurrency: 8,
  });
  const { databases } = SIZE_DEFAULTS.large;
  expect(config.databases.billing).toMatchObject({
    ...databases.billing,
    instanceClass: 'r8g.large',
    proxy: false,
  });
  expect(config.databases.main).toMatchObject(databases.main);
  expect(config).toMatchObject({ cache: { kind: 'none' }, processorConcurrency: 8 });
});

test('a size leaves existing databases as they are, and plans no cache where there is no network for it', () => {
  const { databases, cache } = configOf({
    size: 'xlarge',
    databases: { billing: { ...existing, databaseName: 'billing' }, main: existing },
  });
  expect(databases.main).toMatchObject(existing);
  expect(cache).toEqual({ kind: 'none' });
  expect(configOf({ size: 'xlarge', databases: { main: existing } })).toMatchObject({
    databases: { billing: SIZE_DEFAULTS.xlarge.databases.billing, main: existing },
    cache: { kind: 'serverless' },
  });
});

test.each([
  [{ size: 'huge' }, 'size must be small, medium, large or xlarge, got "huge"'],
  [
    {},
    'databases must be `billing` and `main`, each to `create` or `existing`; or leave it out, and say a `size`, got nothing',
  ],
  [{ size: 'small', databases: 'both' }, 'databases must be `billing` and `main`'],
  [{ size: 'small', databases: { billing: { kind: 'create', host: 'x' } } }, 'databases.billing: unknown setting host'],
])('%j is refused, naming the field', (input, problem) => {
  expect(() => configOf(input)).toThrow(problem);
});

test('editors require no databases, and nothing of a created one, because a size may decide it', () => {
  const schema = environmentJsonSchema() as {
    required: string[];
    properties: { databases: { required?: string[]; properties: { billing: { oneOf: { required?: string[] }[] } } } };
  };
  const { databases } = schema.properties;
  expect(schema.required).not.toContain('databases');
  expect(schema.required).toContain('account');
  expect(databases.required).toBeUndefined();
  expect(databases.properties.billing.oneOf.map(({ required = [] }) => required.length > 0)).toEqual([false, true]);
});

describe('what the users of a size need', () => {
  test.each(SIZES)('fits into %s: CPU in batches, even one by one, and the disk of a year', (size) => {
    const { peak, alonePercent, inBatchPercent, ledgerGiB } = needOf(size);
    expect(peak).toBeLessThan(ACKNOWLEDGED_PER_SECOND);
    expect(inBatchPercent).toBeLessThan(20);
    expect(alonePercent).toBeLessThan(50);
    expect(ledgerGiB).toBeLessThan(0.7 * SIZE_DEFAULTS[size].databases.billing.maximumStorageGiB);
  });

  test('grows from size to size, and so does the price', () => {
    const rising = (values: number[]) => expect(values).toEqual(values.toSorted((a, b) => a - b));
    rising(SIZES.map((size) => needOf(size).peak));
    rising(SIZES.map(costOfSize));
  });

  test('is computed from figures that docs/benchmarks.md has', () => {
    const page = readFileSync(path.resolve(__dirname, '../../../docs/benchmarks.md'), 'utf8');
    expect(page).toContain(`at most ${ACKNOWLEDGED_PER_SECOND.toLocaleString('en-US')} requests/s`);
    expect(page).toContain(`from ${CORE_MS.inBatch} to 0.36 ms of PostgreSQL's time`);
    expect(page).toContain(`2 to ${CORE_MS.alone} ms for`);
  });
});

test('what is no settings stays as it is', () => {
  for (const input of [undefined, null, 'small', [], { size: 'small', databases: [] }])
    expect(withSize(input)).toBe(input);
});
