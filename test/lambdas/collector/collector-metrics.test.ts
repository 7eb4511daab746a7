import { startSecretsManager, type SecretsManager } from '../../../local/aws/secrets-manager';
import { resourcesOf, templatesOf } from '../../lib/support';
import { dashboardsOf } from '../../lib/monitoring/dashboard-support';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { createBucket, objectStore } from '../../support/object-store';
import { testServices } from '../../support/services';
import { emittedMetrics, startFunction, type EmfRecord } from '../../support/started-function';

let billing: TestDatabase;
let main: TestDatabase;
let secrets: SecretsManager;
let bucket: string;

beforeAll(async () => {
  [billing, main, secrets, bucket] = await Promise.all([
    createTestDatabase('billing'),
    createTestDatabase('main'),
    startSecretsManager(),
    createBucket(objectStore()),
  ]);
  const { user, password } = testServices().cluster;
  secrets.put('database', { username: user, password });
  secrets.put('stripe', { apiKey: 'rk_test_1' });
  secrets.put('signing', { current: 'whsec_test' });
  // Without one that awaits a response, there is no due date to publish.
  const client = await billing.client();
  await client.query(`
    INSERT INTO billing.disputes (id, status, amount, currency, evidence_due_at, withdrawn, created_at, version, raw)
    VALUES ('dp_1', 'needs_response', 1, 'eur', now() + interval '9 days', 1, now(), '', '{}')`);
});
afterEach(() => jest.restoreAllMocks());
afterAll(() => Promise.all([billing.drop(), main.drop(), secrets.stop()]));

/** The collector with everything around it real. */
async function collect(changes: Record<string, string> = {}) {
  const { cluster, awsEndpoint } = testServices();
  const database = (prefix: string, { name }: TestDatabase) => ({
    [`${prefix}_DATABASE_HOST`]: cluster.host,
    [`${prefix}_DATABASE_PORT`]: String(cluster.port),
    [`${prefix}_DATABASE_NAME`]: name,
    [`${prefix}_DATABASE_SECRET_ARN`]: 'database',
    [`${prefix}_INSTANCE_IDENTIFIER`]: '',
    [`${prefix}_ALLOCATED_STORAGE_GIB`]: '20',
  });
  const collector = await startFunction(() => import('../../../lambdas/collector/handler'), {
    ENVIRONMENT_NAME: 'local',
    LOG_LEVEL: 'INFO',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
    AWS_ENDPOINT_URL_S3: awsEndpoint,
    ...database('BILLING', billing),
    ...database('MAIN', main),
    ARCHIVE_BUCKET: bucket,
    BILLING_ARCHIVE_WORKFLOW_ARN: '',
    MAIN_ARCHIVE_WORKFLOW_ARN: '',
    COPY_REGION: '',
    COPY_BUCKET: '',
    EVENT_RETENTION_DAYS: '365',
    STRIPE_API_SECRET_ARN: 'stripe',
    STRIPE_SIGNING_SECRET_ARN: 'signing',
    ...changes,
  });
  return collector.invoke({});
}

/** A metric as CloudWatch tells it from others: by its name and all of its dimensions. */
const identity = (name: string, dimensions: readonly (readonly [string, unknown])[]) =>
  [name, ...dimensions.map(([dimension, value]) => `${dimension}=${String(value)}`).toSorted()].join(' ');

const published = (records: readonly EmfRecord[]) =>
  new Map(
    emittedMetrics(records).map(({ name, dimensions, value }) => [identity(name, Object.entries(dimensions)), value]),
  );

interface WatchedMetric {
  readonly MetricName: string;
  readonly Dimensions?: readonly { readonly Name: string; readonly Value: string }[];
}

/** What the alarms of an environment look at of the collector's. */
function watchedOf(environment: string): string[] {
  const alarms = Object.values(resourcesOf(templatesOf(environment).monitoring, 'AWS::CloudWatch::Alarm'));
  const metrics = alarms.flatMap(({ Properties }) =>
    Properties.Metrics === undefined
      ? [Properties as unknown as WatchedMetric]
      : (Properties.Metrics as { MetricStat?: { Metric: WatchedMetric } }[]).flatMap(
          ({ MetricStat }) => MetricStat?.Metric ?? [],
        ),
  );
  return metrics
    .filter(({ Dimensions }) => Dimensions?.some(({ Value }) => Value === 'collector'))
    .map(({ MetricName, Dimensions = [] }) =>
      identity(
        MetricName,
        Dimensions.map(({ Name, Value }) => [Name, Value]),
      ),
    );
}

const SEARCHED = /^SEARCH\('\{[^,]+,([^}]+)\} MetricName="(\w+)" .*service="collector"/;

/** Names of the metrics of the collector that the dashboards of an environment show, each with the names of its dimensions. */
function shownOf(environment: string): string[] {
  const lines = Object.values(dashboardsOf(environment))
    .flat()
    .flatMap(({ properties }) => properties.metrics ?? []);
  return lines.flatMap((line) => {
    const { expression = '' } = (line.at(-1) ?? {}) as { expression?: string };
    const [, searched, searchedName = ''] = SEARCHED.exec(expression) ?? [];
    if (searched !== undefined) return [shape(searchedName, searched.split(','))];
    const [, name, ...pairs] = line.filter((part) => typeof part === 'string');
    return pairs.includes('collector')
      ? [
          shape(
            name ?? '',
            pairs.filter((_, index) => index % 2 === 0),
          ),
        ]
      : [];
  });
}

const shape = (name: string, dimensions: readonly string[]) => [name, ...dimensions.toSorted()].join(' ');

const PROBES_FAILED = 'ProbesFailed environment=local service=collector';

/** What is on record of collections that succeeded, which is forgotten then. */
async function successes(): Promise<unknown[]> {
  const { rows } = await (await billing.client()).query('DELETE FROM billing.job_successes RETURNING job');
  return rows;
}

test('what the alarms look at is what the collector publishes, by name and by every dimension', async () => {
  const { records, result } = await collect();
  await result;

  const watched = watchedOf('local').filter((metric) => !metric.startsWith('CollectionFailed'));
  expect(watched.length).toBeGreaterThan(15);
  const metrics = published(records);
  expect([...metrics.keys()]).toEqual(expect.arrayContaining(watched));
  expect(metrics.get(PROBES_FAILED)).toBe(0);
  expect(await successes()).toEqual([{ job: 'collector' }]);
});

test('a collection that is not complete says so by its heartbeat, publishes the rest, and fails', async () => {
  const { records, result, logLines } = await collect({ MAIN_DATABASE_PORT: '1', STRIPE_API_SECRET_ARN: 'nothing' });

  await expect(result).rejects.toMatchObject({ code: 'collection_incomplete' });
  expect(await successes()).toEqual([]);
  const metrics = [...published(records).keys()];
  expect(metrics).toContain('CollectionFailed environment=local service=collector');
  expect(metrics).not.toContain('CollectionSucceeded environment=local service=collector');
  expect(metrics).toContain('DrillAge database=billing environment=local service=collector');
  expect(metrics).not.toContain('DrillAge database=main environment=local service=collector');
  const logged = logLines.join('\n');
  expect(logged).toContain('Cannot connect to database');
  expect(logged).toContain('secret stripe-api: ');
});

test('one probe that fails is counted, and the others are published with it', async () => {
  const complete = await collect();
  await complete.result;
  const incomplete = await collect({ STRIPE_API_SECRET_ARN: 'nothing' });

  await expect(incomplete.result).rejects.toThrow(/^secret stripe-api: [^;]+$/);
  const metrics = published(incomplete.records);
  expect(metrics.get(PROBES_FAILED)).toBe(1);
  const missing = [...published(complete.records).keys()].filter((metric) => !metrics.has(metric));
  expect(missing).toEqual([
    'SecretAge environment=local secret=stripe-api service=collector',
    'CollectionSucceeded environment=local service=collector',
  ]);
});

test('what the dashboards show of the collector has the dimensions under which it is published', async () => {
  const { records, result } = await collect();
  await result;

  const shapes = new Set(emittedMetrics(records).map(({ name, dimensions }) => shape(name, Object.keys(dimensions))));
  const shown = shownOf('local');
  expect(shown.length).toBeGreaterThan(30);
  expect(shown).toContain('ConnectionsByRole database environment role service');
  expect(new Set(shown.filter((metric) => !shapes.has(metric)))).toEqual(
    new Set([
      // Without the extension that counts statements, and in a collection that succeeds.
      'StatementLoad database environment service',
      'SlowestStatementMean database environment service',
      'CollectionFailed environment service',
    ]),
  );
});
