import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  SendTaskSuccessCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

/** Rows of a second need RDS, which the local platform does not have: the commands with the exact calls of AWS. */
const lambda = mockClient(LambdaClient);
const sfn = mockClient(SFNClient);

const HERE = 'eu-central-1:111111111111';
const WORKFLOW = `arn:aws:states:${HERE}:stateMachine:BillingOps-dev-rows-billing`;
const EXECUTION = `arn:aws:states:${HERE}:execution:BillingOps-dev-rows-billing:one`;
const QUESTION = {
  taskToken: 'token-2',
  instance: 'billing-rows-1',
  reportId: '20261121T123000Z-00000001',
  deleted: 3,
  changed: 1,
  note: '',
  removeAt: '2026-11-22T12:00:00.000Z',
};

beforeEach(() => {
  for (const mock of [lambda, sfn]) mock.reset();
  lambda
    .on(GetFunctionConfigurationCommand)
    .resolves({ FunctionArn: `arn:aws:lambda:${HERE}:function:BillingOps-dev-verify` });
  sfn.on(StartExecutionCommand).resolves({ executionArn: EXECUTION, startDate: new Date() });
});

const ops = (line: string) => runOps([...wordsOf(line), '--env', 'dev', '--without-audit']);

/** A workflow that is in a state; it asks when that begins so. */
function isAt(state: string): void {
  sfn.on(ListExecutionsCommand).resolves({ executions: [{ executionArn: EXECUTION }] as never });
  sfn.on(DescribeExecutionCommand).resolves({ status: 'RUNNING', startDate: new Date('2026-11-21T06:00:00Z') });
  const parameters = JSON.stringify({ Entries: [{ Detail: QUESTION }] });
  sfn.on(GetExecutionHistoryCommand).resolves({
    events: [{ taskScheduledEventDetails: { parameters } }, { stateEnteredEventDetails: { name: state } }] as never,
  });
}

describe('rows of a second', () => {
  test.each([
    ['--at 2026-11-21T08:59:59Z', { restoreTime: '2026-11-21T08:59:59Z' }],
    ['--at latest', {}],
    ['--snapshot arn:aws:rds:x:1:snapshot:s', { snapshotArn: 'arn:aws:rds:x:1:snapshot:s' }],
  ])('are compared, with %s, by the workflow, which is followed to its question', async (option, moment) => {
    isAt('Ask what to do');
    const { status, stdout, stderr } = await ops(
      `rows report billing billing.customers --where "id = cus_1" ${option}`,
    );
    const where = [{ column: 'id', operator: '=', value: 'cus_1' }];
    expect(sfn.commandCalls(StartExecutionCommand).map(({ args }) => args[0].input)).toEqual([
      { stateMachineArn: WORKFLOW, input: JSON.stringify({ tables: ['billing.customers'], where, ...moment }) },
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain('to pick it up again: ops runs --follow rows:billing:one');
    expect(stdout).toContain('Report 20261121T123000Z-00000001, against billing-rows-1: 3 gone, 1 changed');
    expect(stdout).toContain('ops rows done billing');
    expect(stdout).not.toContain('token-2');
  });

  test('end with the cause of a workflow that failed', async () => {
    sfn.on(DescribeExecutionCommand).resolves({ status: 'FAILED', cause: 'State: Check the tables.' });
    sfn.on(GetExecutionHistoryCommand).resolves({ events: [] });
    const { status, stdout } = await ops('rows report billing billing.customers --at 1h');
    expect([status, stdout]).toEqual([1, 'The workflow failed: State: Check the tables.\n']);
  });

  test('are done by the answer that removes the instance', async () => {
    isAt('Ask what to do');
    const { status, stdout } = await ops('rows done billing');
    const said = 'billing-rows-1 is removed; report 20261121T123000Z-00000001 is kept for 30 days\n';
    expect([status, stdout]).toEqual([0, said]);
    expect(sfn.commandCalls(SendTaskSuccessCommand).map(({ args }) => args[0].input)).toEqual([
      { taskToken: 'token-2', output: '{"done":true}' },
    ]);
    expect(sfn.commandCalls(ListExecutionsCommand).map(({ args }) => args[0].input.stateMachineArn)).toEqual([
      WORKFLOW,
    ]);
  });

  test('are done by their instance where several wait, and otherwise none is', async () => {
    isAt('Ask what to do');
    const other = `${EXECUTION}-2`;
    sfn
      .on(ListExecutionsCommand)
      .resolves({ executions: [{ executionArn: other }, { executionArn: EXECUTION }] as never });
    const detail = { ...QUESTION, instance: 'billing-rows-2', taskToken: 'token-3' };
    sfn.on(GetExecutionHistoryCommand, { executionArn: other }).resolves({
      events: [
        { taskScheduledEventDetails: { parameters: JSON.stringify({ Entries: [{ Detail: detail }] }) } },
        { stateEnteredEventDetails: { name: 'Ask what to do' } },
      ] as never,
    });
    const refusal = 'error: Say with --instance which comparison is done. Waiting: billing-rows-2, billing-rows-1\n';
    for (const line of ['rows done billing', 'rows done billing --instance billing-rows-3']) {
      const { status, stderr } = await ops(line);
      expect([status, stderr]).toEqual([3, refusal]);
    }
    expect(sfn.commandCalls(SendTaskSuccessCommand)).toEqual([]);
    expect((await ops('rows done billing --instance billing-rows-1')).status).toBe(0);
    expect(sfn.commandCalls(SendTaskSuccessCommand).map(({ args }) => args[0].input.taskToken)).toEqual(['token-2']);
  });

  test('are not done while nothing is asked', async () => {
    isAt('Wait until restored');
    const { status, stderr } = await ops('rows done billing');
    const refusal = 'error: No comparison of rows of billing waits for an answer: one is at "Wait until restored"\n';
    expect([status, stderr]).toEqual([3, refusal]);
  });

  test.each(['--at 1h --before 1h', '--from-instance x1 --at 1h', '--from-archive 1h --snapshot arn:s'])(
    'are refused with two sources, %s, before anything is asked of AWS',
    async (options) => {
      const { status, stderr } = await ops(`rows report billing billing.customers ${options}`);
      expect([status, stderr]).toEqual([2, expect.stringContaining('are mutually exclusive: give only one')]);
      expect(sfn.calls()).toEqual([]);
    },
  );
});

test.each([
  ['billing-rows-1', { identifier: 'billing-rows-1' }],
  ['db.example.com', { host: 'db.example.com' }],
  ['localhost:5433/copy', { host: 'localhost', port: 5433, targetDatabase: 'copy' }],
])('the instance %s is asked for as %j', async (given, instance) => {
  const requests: unknown[] = [];
  const { InvokeCommand } = await import('@aws-sdk/client-lambda');
  lambda.on(InvokeCommand).callsFake(({ Payload }: { Payload: Uint8Array }) => {
    requests.push(JSON.parse(Buffer.from(Payload).toString()));
    return {
      StatusCode: 200,
      FunctionError: 'Unhandled',
      Payload: Buffer.from('{"errorType":"x","errorMessage":"x"}'),
    };
  });
  await ops(`rows report billing billing.customers --from-instance ${given}`);
  expect(requests).toEqual([{ action: 'report', database: 'billing', instance, tables: ['billing.customers'] }]);
});

test('a report that finds nothing says how old the archive is, and to look further back', async () => {
  const { InvokeCommand } = await import('@aws-sdk/client-lambda');
  const answer = JSON.stringify({
    reportId: '20261121T123001Z-00000001',
    database: 'billing',
    slot: '2026-11-21T12:29:00.000Z',
    instance: null,
    createdAt: '2026-11-21T12:30:01Z',
    tables: [{ table: 'billing.customers', compared: 7, deleted: 0, changed: 0 }],
    deleted: 0,
    changed: 0,
    related: [],
    rowsKey: 'rows.jsonl',
    complete: true,
    firstIds: [],
  });
  lambda.on(InvokeCommand).resolves({ StatusCode: 200, Payload: { transformToString: () => answer } as never });
  const { status, stdout } = await ops('rows report billing billing.customers');
  expect(status).toBe(0);
  expect(stdout).toMatch(/, against the archive of 2026-11-21 12:29:00Z \(.+\)\n/);
  expect(stdout).toMatch(/\nNothing is gone or differs since then\. .+ by --before\n$/);
});

test.each([
  ['an archive', '2026-11-21T06:00:00Z', '--before 2026-11-21T09:00:00Z', '--from-archive 2026-11-21T06:00:00Z '],
  ['an instance', null, '--from-instance main-before-1', ''],
])(
  'a comparison with %s that takes several calls is asked for to its end, and can be continued',
  async (_, slot, source, named) => {
    const requests: unknown[] = [];
    const { InvokeCommand } = await import('@aws-sdk/client-lambda');
    const report = (number: number, compared: number, deleted: number) => ({
      reportId: `20261121T12300${number}Z-0000000${number}`,
      database: 'main',
      slot,
      instance: slot === null ? 'main-before-1:5432/main' : null,
      createdAt: '2026-11-21T12:30:00Z',
      tables: [{ table: 'app.orders', compared, deleted, changed: 0 }],
      deleted,
      changed: 0,
      related: [],
      rowsKey: 'rows.jsonl',
      complete: number === 3,
      firstIds: deleted === 0 ? [] : ['app.orders:7'],
    });
    const answers = [report(1, 1_000, 0), report(2, 2_000, 1), report(3, 2_500, 1)];
    lambda.on(InvokeCommand).callsFake(({ Payload }: { Payload: Uint8Array }) => {
      requests.push(JSON.parse(Buffer.from(Payload).toString()));
      const answer = JSON.stringify(answers[Math.min(requests.length, answers.length) - 1]);
      return { StatusCode: 200, Payload: { transformToString: () => answer } };
    });
    const { status, stdout, stderr } = await ops(`rows report main app.orders ${source}`);
    const request = { action: 'report', database: 'main', tables: ['app.orders'] };
    const of = slot === null ? { instance: { identifier: 'main-before-1' } } : { archive: slot };
    expect(requests).toEqual([
      { ...request, ...of, ...(slot && { archive: 'latest', notAfter: '2026-11-21T09:00:00Z' }) },
      { ...request, ...of, continues: '20261121T123001Z-00000001' },
      { ...request, ...of, continues: '20261121T123002Z-00000002' },
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `2,000 rows compared, 1 row found; continuing. To continue later: the same with ${named}--continue 20261121T123002Z-00000002`,
    );
    expect(stdout).toMatch(/^Report 20261121T123003Z-00000003, against /);
    expect(stdout).toMatch(/\napp\.orders +2[ ,.]?500 +1 +0\n/);
    expect(stdout.match(/ops rows show main \S+/g)).toEqual(['ops rows show main 20261121T123003Z-00000003']);

    // The last hint, as an operator follows it.
    const [, added = '', replaced] =
      [...stderr.matchAll(/the same with (.+?)(?: in place of (--\S+))?\n/g)].at(-1) ?? [];
    const kept = replaced !== undefined && source.startsWith(replaced) ? '' : source;
    expect((await ops(`rows report main app.orders ${kept} ${added}`)).status).toBe(1);
    expect(requests[3]).toEqual(requests[2]);
  },
);

test('a merge of more rows than a call takes is asked for to its end, planned and confirmed, and counts all of them', async () => {
  const requests: unknown[] = [];
  const { InvokeCommand } = await import('@aws-sdk/client-lambda');
  lambda.on(InvokeCommand).callsFake(({ Payload }: { Payload: Uint8Array }) => {
    const request = JSON.parse(Buffer.from(Payload).toString()) as { offset?: number; confirm?: string };
    requests.push(request);
    const counts = { inserted: 1_000, updated: 0, skipped: request.offset === 0 ? 2 : 0 };
    const answer = {
      reportId: '20261121T123000Z-00000001',
      database: 'main',
      dryRun: request.confirm === undefined,
      tables: [{ table: 'app.orders', ...counts }],
      ...counts,
      conflicts: [],
      next: request.offset === 0 ? 1_002 : null,
      entitlementsChanged: 5,
    };
    return { StatusCode: 200, Payload: { transformToString: () => JSON.stringify(answer) } };
  });
  const line = 'rows merge main 20261121T123000Z-00000001 --confirm main';
  const { status, stdout, stderr } = await ops(line);
  const request = {
    action: 'merge',
    database: 'main',
    reportId: '20261121T123000Z-00000001',
    choose: 'deleted',
    offset: 0,
  };
  const confirmed = { ...request, confirm: 'main' };
  expect(requests).toEqual([request, { ...request, offset: 1_002 }, confirmed, { ...confirmed, offset: 1_002 }]);
  expect(status).toBe(0);
  expect(stderr).toContain('1,000 rows would be put back so far; looking at the others');
  expect(stderr).toContain('1,000 rows put back; continuing. To continue later, repeat the command');
  expect(stdout).toMatch(/^Put back; entitlements of 10 users changed:\n/);
  expect(stdout).toMatch(/\napp\.orders +2[ ,.]?000 +0 +2$/m);
  const { stdout: json } = await ops(`${line} --json`);
  expect(JSON.parse(json)).toMatchObject({ inserted: 2_000, skipped: 2, tables: [{ inserted: 2_000 }], next: null });
});

test('a merge whose later call is refused says what earlier calls have put back, and not that nothing was done', async () => {
  const { InvokeCommand } = await import('@aws-sdk/client-lambda');
  const counts = { inserted: 1_000, updated: 0, skipped: 0 };
  lambda.on(InvokeCommand).callsFake(({ Payload }: { Payload: Uint8Array }) => {
    const { offset = 0, confirm } = JSON.parse(Buffer.from(Payload).toString()) as {
      offset?: number;
      confirm?: string;
    };
    const isRefused = confirm !== undefined && offset > 0;
    const answer = isRefused
      ? { errorType: 'ReportNotFound', errorMessage: 'There is no report: make one' }
      : {
          reportId: '20261121T123000Z-00000001',
          database: 'main',
          dryRun: confirm === undefined,
          tables: [],
          ...counts,
          conflicts: [],
          next: offset === 0 ? 1_002 : null,
          entitlementsChanged: 0,
        };
    return {
      StatusCode: 200,
      ...(isRefused ? { FunctionError: 'Unhandled' } : {}),
      Payload: { transformToString: () => JSON.stringify(answer) },
    };
  });
  const { status, stderr } = await ops('rows merge main 20261121T123000Z-00000001 --confirm main');
  expect(stderr).toContain('There is no report: make one. (report_not_found)');
  expect(stderr).toContain('1,000 rows were put back by earlier calls, and stay');
  expect(status).toBe(4);
});

test('a comparison is continued only with what it compared with', async () => {
  const { status, stderr } = await ops('rows report main app.orders --continue 20261121T123002Z-00000002');
  expect(status).toBe(2);
  expect(stderr).toContain('--continue needs --from-archive or --from-instance');
});
