import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient, DescribeAlarmsCommand, type DescribeAlarmsCommandInput } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetSecretValueCommand, RotateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  SendTaskFailureCommand,
  SendTaskSuccessCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import Stripe from 'stripe';
import { readBody, startHttpServer } from '../../local/runtime/http-server';
import { runOps, type RunOptions } from './run-ops';
import { wordsOf } from './runbook-lines';

/** What the local platform does not have: each command with the exact calls of AWS's control plane. */
const lambda = mockClient(LambdaClient);
const sfn = mockClient(SFNClient);
const secrets = mockClient(SecretsManagerClient);
const cloudWatch = mockClient(CloudWatchClient);
const cloudWatchLogs = mockClient(CloudWatchLogsClient);
const cloudFormation = mockClient(CloudFormationClient);

const ACCOUNT = '111111111111';
const arnOf = (stem: string) => `arn:aws:lambda:eu-central-1:${ACCOUNT}:function:BillingOps-dev-${stem}`;
const WORKFLOW = `arn:aws:states:eu-central-1:${ACCOUNT}:stateMachine:BillingOps-dev-recover-billing`;
const EXECUTION = `arn:aws:states:eu-central-1:${ACCOUNT}:execution:BillingOps-dev-recover-billing:one`;

beforeEach(() => {
  for (const mock of [lambda, sfn, secrets, cloudWatch, cloudWatchLogs, cloudFormation]) mock.reset();
  lambda.on(GetFunctionConfigurationCommand).callsFake(({ FunctionName }: { FunctionName: string }) => ({
    FunctionArn: arnOf(FunctionName.split('-').slice(2).join('-')),
    LoggingConfig: { LogGroup: `log of ${FunctionName}` },
    Environment: {
      Variables: {
        BILLING_DATABASE_SECRET_ARN: 'arn:billing',
        STRIPE_SIGNING_SECRET_ARN: 'arn:signing',
        STRIPE_API_SECRET_ARN: 'arn:api',
        LIVEMODE: 'true',
      },
    },
  }));
});

// Audit records are proven against the local platform.
const ops = (line: string, options: RunOptions = {}) => runOps([...wordsOf(line), '--env', 'dev'], options);
const act = (line: string, options: RunOptions = {}) => ops(`${line} --without-audit`, options);

/** A recovery that waits in a state with a question. */
function waitingIn(state: string, detail: object): void {
  sfn.on(ListExecutionsCommand).resolves({ executions: [{ executionArn: EXECUTION }] as never });
  sfn
    .on(DescribeExecutionCommand)
    .resolves({ status: 'RUNNING', startDate: new Date('2026-11-21T06:00:00Z'), input: '{}' });
  const parameters = JSON.stringify({ Entries: [{ Detail: { recoveredInstance: 'new-1', ...detail } }] });
  sfn.on(GetExecutionHistoryCommand).resolves({
    events: [
      { taskScheduledEventDetails: { parameters } },
      { stateEnteredEventDetails: { name: state } },
      { stateEnteredEventDetails: { name: 'Verify' } },
    ] as never,
  });
}

const ASKED = {
  taskToken: 'token-1',
  confirmWith: 'billing-in-use',
  minutesToTraffic: 31,
  note: 'Nothing in use was touched.',
};

describe('a recovery', () => {
  test.each([
    ['', {}],
    [' --to 2026-11-21T06:00:07Z', { restoreTime: '2026-11-21T06:00:07Z' }],
    [' --snapshot arn:aws:rds:x:1:snapshot:s', { snapshotArn: 'arn:aws:rds:x:1:snapshot:s' }],
    [' --recovered new-1', { recoveredInstance: 'new-1' }],
  ])('with the options "%s" starts the workflow of the database with %j', async (options, input) => {
    sfn.on(StartExecutionCommand).resolves({ executionArn: EXECUTION, startDate: new Date() });
    const { status, stdout } = await act(`recover start billing${options}`);
    expect(status).toBe(0);
    expect(stdout).toContain(EXECUTION);
    expect(sfn.commandCalls(StartExecutionCommand).map(({ args }) => args[0].input)).toEqual([
      { stateMachineArn: WORKFLOW, input: JSON.stringify(input) },
    ]);
  });

  test('with two points to restore is refused before anything is asked of AWS', async () => {
    expect((await act('recover start billing --to 1h --recovered new-1')).status).toBe(2);
    expect(sfn.calls()).toEqual([]);
  });

  test('is rehearsed by a workflow of its own, which can be followed', async () => {
    const rehearsal = WORKFLOW.replace('recover-billing', 'instance-drill-billing');
    const executionArn = `${rehearsal.replace('stateMachine', 'execution')}:one`;
    sfn.on(StartExecutionCommand).resolves({ executionArn });
    const { status, stdout } = await act('recover drill billing');
    expect([status, stdout]).toEqual([0, expect.stringContaining('ops runs --follow instance-drill:billing:one')]);
    expect(sfn.commandCalls(StartExecutionCommand).map(({ args }) => args[0].input)).toEqual([
      { stateMachineArn: rehearsal, input: '{}' },
    ]);
  });

  test('of a database without a workflow is refused with the reason', async () => {
    sfn.on(StartExecutionCommand).rejects(Object.assign(new Error('no'), { name: 'StateMachineDoesNotExist' }));
    const { status, stderr } = await act('recover start billing');
    expect([status, stderr]).toEqual([3, expect.stringMatching(/^error: dev .+ has no workflow for billing: .+\n$/)]);
  });

  test('that is proven shows its question with the answers to type, never the token', async () => {
    waitingIn('Ask for confirmation', ASKED);
    const { status, stdout } = await ops('recover status billing');
    expect(status).toBe(1);
    expect(stdout).toContain('new-1 is proven, and waits. Nothing in use was touched.');
    expect(stdout).toContain('ops recover cut-over billing --confirm billing-in-use');
    const asJson = await ops('recover status billing --json');
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      state: 'Ask for confirmation',
      question: { detail: { minutesToTraffic: 31 } },
    });
    expect(stdout + asJson.stdout).not.toContain('token-1');
  });

  test('is cut over only once the instance in use is named', async () => {
    waitingIn('Ask for confirmation', ASKED);
    expect((await act('recover cut-over billing')).status).toBe(3);
    expect((await act('recover cut-over billing --confirm billing')).status).toBe(3);
    expect((await act('recover cut-over billing', { typed: 'no' })).status).toBe(3);
    expect(sfn.commandCalls(SendTaskSuccessCommand)).toEqual([]);

    expect((await act('recover cut-over billing --confirm billing-in-use')).status).toBe(0);
    expect(sfn.commandCalls(SendTaskSuccessCommand).map(({ args }) => args[0].input)).toEqual([
      { taskToken: 'token-1', output: '{"confirm":"billing-in-use"}' },
    ]);
  });

  test('is refused with the error that ends it', async () => {
    waitingIn('Ask for confirmation', ASKED);
    expect((await act('recover refuse billing')).status).toBe(0);
    expect(sfn.commandCalls(SendTaskFailureCommand).map(({ args }) => args[0].input)).toEqual([
      { taskToken: 'token-1', error: 'CutOverRefused' },
    ]);
  });

  test('that waits for the name takes it when the database is named, and cannot be cut over again', async () => {
    waitingIn('Ask when to take the name', { taskToken: 'token-2', instance: 'billing-in-use' });
    expect((await act('recover cut-over billing --confirm billing-in-use')).stderr).toContain(
      'ops recover take-name billing',
    );
    expect((await act('recover take-name billing')).status).toBe(3);
    expect((await act('recover take-name billing --confirm billing')).status).toBe(0);
    expect(sfn.commandCalls(SendTaskSuccessCommand).map(({ args }) => args[0].input)).toEqual([
      { taskToken: 'token-2', output: '{}' },
    ]);
  });

  test('that asks nothing, or whose question is over, is refused', async () => {
    waitingIn('Verify', {});
    expect((await act('recover cut-over billing')).stderr).toBe(
      'error: The recovery of billing asks nothing: it is at "Verify". See ops recover status billing\n',
    );
    waitingIn('Ask for confirmation', ASKED);
    sfn.on(SendTaskSuccessCommand).rejects(Object.assign(new Error('late'), { name: 'TaskTimedOut' }));
    expect(await act('recover cut-over billing --confirm billing-in-use')).toMatchObject({
      status: 3,
      stderr: 'error: The question was answered already, or its time is over\n',
    });
  });
});

test('raised alarms that notify are listed once with their first line, composite ones too, and are a finding', async () => {
  const raised = (name: string, others: object = {}) => ({
    AlarmName: `BillingOps-dev-${name}`,
    StateValue: 'ALARM' as const,
    AlarmActions: ['arn:aws:sns:eu-central-1:111111111111:critical'],
    AlarmDescription: `What is wrong: ${name}.\nRunbook: …`,
    ...others,
  });
  const byItsPage = { AlarmActions: [] };
  const metricAlarms = [raised('backupFailed-billing'), raised('canaryFailed', byItsPage)];
  const compositeAlarms = [
    raised('canaryFailed-page', { ActionsSuppressedBy: 'Alarm', ActionsSuppressedReason: 'By its cause' }),
    raised('canaryFailed-silent', byItsPage),
    raised('regionTrouble'),
  ];
  cloudWatch.on(DescribeAlarmsCommand).callsFake(({ AlarmTypes = ['MetricAlarm'] }: DescribeAlarmsCommandInput) => ({
    MetricAlarms: AlarmTypes.includes('MetricAlarm') ? metricAlarms : [],
    CompositeAlarms: AlarmTypes.includes('CompositeAlarm') ? compositeAlarms : [],
  }));
  const { status, stdout } = await ops('alarms');
  expect(status).toBe(1);
  expect(stdout.trimEnd().split('\n').slice(1)).toEqual([
    expect.stringMatching(/^BillingOps-dev-backupFailed-billing +ALARM  .+ What is wrong: backupFailed-billing\.$/),
    expect.stringMatching(/^BillingOps-dev-canaryFailed-page +ALARM, silent  .+ What is wrong: canaryFailed-page\.$/),
    expect.stringMatching(/^BillingOps-dev-regionTrouble +ALARM  .+ What is wrong: regionTrouble\.$/),
  ]);
  expect(cloudWatch.commandCalls(DescribeAlarmsCommand)[0]?.args[0].input).toMatchObject({
    AlarmNamePrefix: 'BillingOps-dev-',
    StateValue: 'ALARM',
  });

  cloudWatch.on(DescribeAlarmsCommand).resolves({ MetricAlarms: [] });
  expect(await ops('alarms')).toMatchObject({ status: 0, stdout: 'No alarm is raised\n' });
});

test('a log is printed without metrics and reports of Lambda, and filtered by severity', async () => {
  const at = Date.parse('2026-11-21T06:00:00Z');
  const line = (eventId: string, message: object | string) => ({
    eventId,
    timestamp: at,
    message: typeof message === 'string' ? message : JSON.stringify(message),
  });
  cloudWatchLogs.on(FilterLogEventsCommand).resolves({
    events: [
      line('1', { type: 'platform.start', record: {} }),
      line('2', { level: 'INFO', message: 'Backup finished', service: 'backup', rows: 3 }),
      line('3', { _aws: {}, BackupSucceeded: 1 }),
      line('4', { level: 'ERROR', message: 'Backup failed', code: 'store_unavailable' }),
      line('5', 'Task timed out after 900.00 seconds'),
    ],
  });
  expect((await ops('logs backup --since 2026-11-21T00:00:00Z')).stdout).toBe(
    [
      '2026-11-21 06:00:00 INFO  Backup finished rows=3',
      '2026-11-21 06:00:00 ERROR Backup failed code=store_unavailable',
      '2026-11-21 06:00:00 Task timed out after 900.00 seconds',
      '',
    ].join('\n'),
  );
  expect((await ops('logs backup --errors')).stdout).toBe(
    '2026-11-21 06:00:00 ERROR Backup failed code=store_unavailable\n',
  );
  expect(cloudWatchLogs.commandCalls(FilterLogEventsCommand)[0]?.args[0].input).toMatchObject({
    logGroupName: 'log of BillingOps-dev-backup',
    startTime: Date.parse('2026-11-21T00:00:00Z'),
  });
});

test('a password is rotated only once its database is named', async () => {
  // No second server in the settings, so no function that moves billing there.
  const missing = Object.assign(new Error('Function not found'), { name: 'ResourceNotFoundException' });
  lambda.on(InvokeCommand, { FunctionName: 'BillingOps-dev-move' }).rejects(missing);
  secrets.on(RotateSecretCommand).resolves({ VersionId: 'v2' });
  expect((await act('secrets rotate billing')).status).toBe(3);
  expect(secrets.calls()).toEqual([]);
  expect((await act('secrets rotate billing --confirm billing')).status).toBe(0);
  expect(secrets.commandCalls(RotateSecretCommand)[0]?.args[0].input).toEqual({
    SecretId: 'arn:billing',
    RotateImmediately: true,
  });
});

test('a sample event is posted, signed, to the endpoint that the stack printed', async () => {
  const requests: { readonly signature: string; readonly body: string }[] = [];
  const endpoint = await startHttpServer(async (request, response) => {
    const body = (await readBody(request, 100_000))?.toString() ?? '';
    requests.push({ signature: String(request.headers['stripe-signature']), body });
    response.end('{"received":true}');
  });
  cloudFormation.on(DescribeStacksCommand, { StackName: 'BillingOps-dev-Operations' }).resolves({
    Stacks: [{ Outputs: [{ OutputKey: 'WebhookStripeEndpoint0A1B2C3D', OutputValue: endpoint.url }] }] as never,
  });
  lambda.on(GetFunctionConfigurationCommand).resolves({
    Environment: { Variables: { STRIPE_SIGNING_SECRET_ARN: 'arn:signing', LIVEMODE: 'false' } },
  });
  secrets.on(GetSecretValueCommand, { SecretId: 'arn:signing' }).resolves({ SecretString: '{"current":"whsec_test"}' });
  try {
    expect((await act('webhooks send charge.refunded --user ann')).status).toBe(0);
  } finally {
    await endpoint.stop();
  }
  const [{ signature, body } = { signature: '', body: '' }] = requests;
  const event = Stripe.webhooks.constructEvent(body, signature, 'whsec_test');
  expect(event).toMatchObject({ type: 'charge.refunded', livemode: false, data: { object: { id: 'ch_ann' } } });
});

test('a sample event is not sent to an environment of live events', async () => {
  expect(await act('webhooks send charge.refunded')).toMatchObject({
    status: 3,
    stderr: 'error: dev takes live events only: a sample event is refused there. Nothing was sent\n',
  });
});

test('migrations without a backup are refused in production', async () => {
  const line = 'migrate apply billing --without-backup --without-audit --env production';
  expect(await runOps(wordsOf(line))).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('refused in production'),
  });
  expect(lambda.calls()).toEqual([]);
});
