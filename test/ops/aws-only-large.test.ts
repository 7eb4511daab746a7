import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

/** What commands print when a workflow takes over, which the local platform has none of. */
const lambda = mockClient(LambdaClient);
const EXECUTION = 'arn:aws:states:eu-central-1:111111111111:execution:BillingOps-dev-restore-main:';
const AT = '2026-11-21T06:00:00Z';

const ops = async (line: string, answer: object) => {
  lambda.reset();
  lambda
    .on(GetFunctionConfigurationCommand)
    .resolves({ FunctionArn: 'arn:aws:lambda:eu-central-1:1:function:BillingOps-dev-x' });
  const text = JSON.stringify(answer);
  lambda.on(InvokeCommand).resolves({ StatusCode: 200, Payload: { transformToString: () => text } as never });
  const { status, stdout } = await runOps([...wordsOf(line), '--env', 'dev', '--without-audit']);
  return { status, lines: stdout.trimEnd().split('\n') };
};

test('a drill that a workflow makes says so, with its target and the command that follows it', async () => {
  const nothing = {
    tables: null,
    rows: null,
    durationMs: null,
    restoredBytes: null,
    bytesPerSecond: null,
    liveBytes: null,
  };
  const { status, lines } = await ops('drill main', {
    ...nothing,
    database: 'main',
    startedAt: AT,
    outcome: 'started',
    slot: AT,
    projectedMs: null,
    targetMs: 14_400_000,
    targetPercent: null,
    error: null,
    execution: `${EXECUTION}drill-20261121T060000Z`,
  });
  expect(status).toBe(0);
  expect(lines).toEqual([
    expect.stringMatching(
      /^outcome +started: a workflow restores the archive in parts, and records the drill at its end$/,
    ),
    expect.stringMatching(/^archive +2026-11-21T06:00:00Z$/),
    expect.stringMatching(/^target +4\.0 h$/),
    expect.stringMatching(/^follow +ops runs --follow restore:main:drill-20261121T060000Z$/),
  ]);
});

test('a restore that a workflow makes names the database that it will be, and the command that follows it', async () => {
  const { status, lines } = await ops('restore main --into main_before', {
    database: 'main',
    slot: AT,
    archivedAt: AT,
    tables: 500,
    rows: 1_234_567,
    outcome: 'started',
    execution: `${EXECUTION}main_before-20261121T060000Z`,
    targetDatabase: 'main_before',
    foreignKeysValidated: 0,
    sequencesRestored: 0,
    invariantsChecked: 0,
    migratedForward: [],
    rolesCreated: [],
    deviations: [],
    schemaDifferences: [],
    rowsErased: 0,
    durationMs: 100,
    kept: true,
  });
  expect(status).toBe(0);
  expect(lines).toEqual([
    expect.stringMatching(
      /^database +main_before \(being restored by a workflow: it gets this name once it is proven\)$/,
    ),
    expect.stringMatching(/^data of +2026-11-21 06:00/),
    expect.stringMatching(/^content +500 tables, 1,234,567 rows$/),
    expect.stringMatching(/^follow +ops runs --follow restore:main:main_before-20261121T060000Z$/),
  ]);
});
