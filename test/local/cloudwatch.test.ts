import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  ListMetricsCommand,
} from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { startCloudWatch } from '../../local/aws/cloudwatch';
import { startCloudWatchLogs } from '../../local/aws/cloudwatch-logs';
import type { HttpServer } from '../../local/runtime/http-server';

/** The logs and metrics of functions, asked for with the SDK. */
const CREDENTIALS = { region: 'eu-central-1', credentials: { accessKeyId: 'x', secretAccessKey: 'x' } };
const GROUP = '/aws/lambda/BillingOps-local-backup';
const at = (second: number): Date => new Date(Date.UTC(2026, 10, 29, 12, 0, second));

let folder: string;
let file: string;
let servers: HttpServer[];
let logs: CloudWatchLogsClient;
let metrics: CloudWatchClient;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'cloudwatch-test-'));
  file = path.join(folder, 'backup.log');
  const sources = [{ group: GROUP, file }];
  servers = await Promise.all([startCloudWatchLogs(sources), startCloudWatch(sources)]);
  const [first, second] = servers.map(({ url }) => url);
  logs = new CloudWatchLogsClient({ endpoint: first, ...CREDENTIALS });
  metrics = new CloudWatchClient({ endpoint: second, ...CREDENTIALS });
});
afterEach(async () => {
  logs.destroy();
  metrics.destroy();
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(folder, { recursive: true });
});

const line = (second: number, message: string, level = 'INFO'): string =>
  `${JSON.stringify({ level, message, timestamp: at(second).toISOString() })}\n`;
const filter = async (input: object) => {
  const { events = [], nextToken } = await logs.send(new FilterLogEventsCommand({ logGroupName: GROUP, ...input }));
  return { events, nextToken, messages: events.map(({ message = '' }) => message) };
};

test('a log is read by time and by words, in pages that neither repeat nor skip a line', async () => {
  expect((await filter({})).events).toEqual([]);
  writeFileSync(file, `${line(1, 'one ü')}${line(2, 'two')}stack of two\n${line(3, 'three', 'ERROR')}half a li`);

  const all = await filter({});
  expect(all.messages.map((message) => message.slice(0, 14))).toEqual([
    '{"level":"INFO',
    '{"level":"INFO',
    'stack of two',
    '{"level":"ERRO',
  ]);
  expect(all.events.map(({ timestamp }) => timestamp)).toEqual([1, 2, 2, 3].map((second) => at(second).getTime()));
  expect((await filter({ startTime: at(2).getTime(), endTime: at(3).getTime() })).events).toHaveLength(2);
  expect((await filter({ filterPattern: '"ERROR" three' })).events).toHaveLength(1);
  await expect(filter({ filterPattern: '{ $.level = "ERROR" }' })).rejects.toThrow('words and quoted texts only');

  const first = await filter({ limit: 2 });
  const second = await filter({ limit: 2, nextToken: first.nextToken });
  expect([...first.messages, ...second.messages]).toEqual(all.messages);
  appendFileSync(file, 'ne\n');
  expect((await filter({})).messages.at(-1)).toBe('half a line');
  expect(new Set((await filter({})).events.map(({ eventId }) => eventId)).size).toBe(5);
});

test('a group that is not there is an error of its own', async () => {
  await expect(filter({ logGroupName: '/aws/lambda/none' })).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
});

test('metrics that were logged are listed and added up by period', async () => {
  const emit = (second: number, database: string, Rows: number | number[]): string =>
    `${JSON.stringify({
      _aws: {
        Timestamp: at(second).getTime(),
        CloudWatchMetrics: [
          { Namespace: 'BillingOps', Dimensions: [['service'], ['service', 'database']], Metrics: [{ Name: 'Rows' }] },
        ],
      },
      service: 'backup',
      database,
      Rows,
    })}\n`;
  writeFileSync(file, emit(1, 'billing', 2) + emit(2, 'main', [3, 5]) + emit(61, 'billing', 7) + line(62, 'no metric'));

  const { Metrics: listed = [] } = await metrics.send(
    new ListMetricsCommand({ MetricName: 'Rows', Dimensions: [{ Name: 'database', Value: 'billing' }] }),
  );
  expect(listed).toEqual([
    {
      Namespace: 'BillingOps',
      MetricName: 'Rows',
      Dimensions: [
        { Name: 'database', Value: 'billing' },
        { Name: 'service', Value: 'backup' },
      ],
    },
  ]);

  const service = [{ Name: 'service', Value: 'backup' }];
  const Metric = { Namespace: 'BillingOps', MetricName: 'Rows', Dimensions: service };
  const query = (Stat: string) => ({ Id: Stat.toLowerCase(), MetricStat: { Metric, Stat, Period: 60 } });
  const read = (StartTime: Date, ...statistics: string[]) =>
    metrics.send(new GetMetricDataCommand({ StartTime, EndTime: at(120), MetricDataQueries: statistics.map(query) }));
  const { MetricDataResults: results = [] } = await read(at(0), 'Sum', 'Average', 'Maximum');
  expect(results.map(({ Values }) => Values)).toEqual([
    [7, 10],
    [7, 10 / 3],
    [7, 5],
  ]);
  expect(results[0]?.Timestamps).toEqual([at(60), at(0)]);
  expect((await read(at(30), 'Sum')).MetricDataResults?.[0]?.Values).toEqual([7]);
  await expect(read(at(0), 'p99')).rejects.toThrow('no expressions');
});

test('an action that only AWS has says so', async () => {
  await expect(metrics.send(new DescribeAlarmsCommand({}))).rejects.toThrow('has no alarms');
});
