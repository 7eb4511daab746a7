import { CloudWatchClient, GetMetricDataCommand, ListMetricsCommand } from '@aws-sdk/client-cloudwatch';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  SFNClient,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

/** What the local platform does not have: metrics, recoveries and consoles, with the exact calls. */
const lambda = mockClient(LambdaClient);
const sfn = mockClient(SFNClient);
const cloudWatch = mockClient(CloudWatchClient);
const EXECUTION = 'arn:aws:states:eu-central-1:111111111111:execution:BillingOps-dev-recover-billing:one';

beforeEach(() => {
  for (const mock of [lambda, sfn, cloudWatch]) mock.reset();
  lambda.on(GetFunctionConfigurationCommand).resolves({
    FunctionArn: 'arn:aws:lambda:eu-central-1:111111111111:function:BillingOps-dev-webhook',
    Environment: { Variables: { LIVEMODE: 'false' } },
  });
});

const ops = (line: string) => runOps([...wordsOf(line), '--env', 'dev']);

test('metrics are summed over the span, by function', async () => {
  const Metric = {
    MetricName: 'EventsProcessed',
    Dimensions: [
      { Name: 'environment', Value: 'dev' },
      { Name: 'service', Value: 'processor' },
    ],
  };
  cloudWatch.on(ListMetricsCommand).resolves({ Metrics: [Metric] });
  const Timestamps = [new Date('2026-11-21T06:05:00Z'), new Date('2026-11-21T06:00:00Z')];
  cloudWatch.on(GetMetricDataCommand).resolves({
    MetricDataResults: [
      { Id: 'sum0', Values: [4, 6], Timestamps },
      { Id: 'average0', Values: [1, 2], Timestamps },
      { Id: 'maximum0', Values: [2, 5], Timestamps },
    ],
  });
  const { status, stdout } = await ops('metrics --service processor --since 2h --json');
  expect([status, JSON.parse(stdout)]).toEqual([
    0,
    [
      {
        metric: 'EventsProcessed',
        dimensions: { service: 'processor' },
        sum: 10,
        mean: 1.5,
        maximum: 5,
        last: 1,
        lastAt: '2026-11-21T06:05:00.000Z',
      },
    ],
  ]);
  expect(cloudWatch.commandCalls(ListMetricsCommand)[0]?.args[0].input).toEqual({
    Namespace: 'BillingOperations',
    MetricName: undefined,
    Dimensions: Metric.Dimensions,
  });
  expect(cloudWatch.commandCalls(GetMetricDataCommand)[0]?.args[0].input.MetricDataQueries).toEqual(
    ['Sum', 'Average', 'Maximum'].map((Stat) => ({
      Id: `${Stat.toLowerCase()}0`,
      MetricStat: { Metric, Stat, Period: 300 },
    })),
  );
  expect((await ops('metrics')).stdout).toMatch(/EventsProcessed +processor +10 +1.5 +5 +1 /);
});

test('a service or metric that has published nothing is a finding, and no metric at all is none', async () => {
  cloudWatch.on(ListMetricsCommand).resolves({ Metrics: [] });
  expect(await ops('metrics --service procesor')).toMatchObject({
    status: 1,
    stdout: 'No such metric was published in two weeks. Those there are: ops metrics\n',
  });
  expect((await ops('metrics')).status).toBe(0);
});

test('a function whose name is misspelt has no log: the name is to be checked first', async () => {
  const missing = Object.assign(new Error('no such function'), { name: 'ResourceNotFoundException' });
  lambda.on(GetFunctionConfigurationCommand).rejects(missing);
  const { status, stderr } = await ops('logs procesor');
  expect([status, stderr]).toEqual([
    3,
    expect.stringContaining(
      'has no function BillingOps-dev-procesor: check the name (procesor), AWS_PROFILE and --env',
    ),
  ]);
});

describe('a recovery that runs', () => {
  beforeEach(() => {
    sfn.on(ListExecutionsCommand).resolves({ executions: [{ executionArn: EXECUTION }] as never });
    sfn.on(DescribeExecutionCommand).resolves({ status: 'RUNNING', startDate: new Date('2026-11-21T06:00:00Z') });
    sfn
      .on(GetExecutionHistoryCommand)
      .resolves({ events: [{ stateEnteredEventDetails: { name: 'Wait until restored' } }] as never });
  });

  test('is aborted only once the database is named', async () => {
    const refused = await ops('recover abort billing --without-audit');
    expect([refused.status, refused.stderr]).toEqual([3, expect.stringContaining('stopped at "Wait until restored"')]);
    expect(sfn.commandCalls(StopExecutionCommand)).toEqual([]);

    expect((await ops('recover abort billing --confirm billing --without-audit')).status).toBe(0);
    expect(sfn.commandCalls(StopExecutionCommand).map(({ args }) => args[0].input)).toEqual([
      { executionArn: EXECUTION, error: 'Aborted', cause: 'Aborted by an operator: see ops audit' },
    ]);
  });

  test('that has ended is not aborted', async () => {
    sfn.on(DescribeExecutionCommand).resolves({ status: 'SUCCEEDED', startDate: new Date() });
    const { status, stderr } = await ops('recover abort billing --confirm billing --without-audit');
    expect([status, stderr]).toEqual([3, 'error: No recovery of billing runs: the newest one succeeded\n']);
  });
});

test.each([
  ['console', ['alarms', 'functions', 'databases'], 'https://eu-central-1.console.aws.amazon.com/'],
  ['dashboard', ['dashboard', 'night', 'metrics'], 'https://eu-central-1.console.aws.amazon.com/cloudwatch/'],
  ['stripe', ['stripeWebhooks', 'stripePayouts'], 'https://dashboard.stripe.com/test/'],
])('the links of %s are printed alone', async (what, names, start) => {
  const links = JSON.parse((await ops(`open ${what} --json`)).stdout) as Record<string, string>;
  expect(Object.keys(links)).toEqual(expect.arrayContaining(names));
  expect(Object.values(links).filter((link) => !link.startsWith(start))).toEqual([]);
});
