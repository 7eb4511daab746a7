import { DescribeDBSnapshotsCommand, RDSClient } from '@aws-sdk/client-rds';
import { ExecutionAlreadyExists, ListExecutionsCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { startArchive } from '../../../lambdas/backup/start-archive';

const SLOT = '2026-11-21T06:00:00Z';
const MACHINE = 'arn:aws:states:eu-central-1:1:stateMachine:archive-main';
const NOW = new Date('2026-11-21T06:00:30Z');
const EXECUTION = 'arn:aws:states:eu-central-1:1:execution:archive-main:20261121T060000Z';
const rds = mockClient(RDSClient);
const sfn = mockClient(SFNClient);
const workflow = {
  instance: { rds: new RDSClient({ region: 'eu-central-1' }), identifier: 'main-production' },
  sfn: new SFNClient({ region: 'eu-central-1' }),
  stateMachineArn: MACHINE,
};
const snapshot = (DBSnapshotArn: string, taken: string, Status = 'available') => ({
  DBSnapshotArn,
  SnapshotCreateTime: new Date(taken),
  Status,
});

beforeEach(() => {
  rds.reset();
  sfn.reset();
  sfn.on(ListExecutionsCommand).resolves({ executions: [] });
  sfn.on(StartExecutionCommand).resolves({ executionArn: EXECUTION });
  rds.on(DescribeDBSnapshotsCommand).resolves({ DBSnapshots: [] });
  rds.on(DescribeDBSnapshotsCommand, { SnapshotType: 'awsbackup' }).resolves({
    DBSnapshots: [
      snapshot('arn:old', '2026-11-20T00:00:00Z'),
      snapshot('arn:new', '2026-11-21T00:04:00Z'),
      snapshot('arn:unfinished', '2026-11-21T06:00:00Z', 'creating'),
    ],
  });
});

test('the newest complete recovery point is archived, by an execution that is named by the slot', async () => {
  const takenAt = '2026-11-21T00:04:00.000Z';
  expect(await startArchive(workflow, SLOT, NOW)).toEqual({
    slot: SLOT,
    executionArn: EXECUTION,
    isNew: true,
    takenAt,
  });
  expect(sfn.commandCalls(StartExecutionCommand).map(({ args }) => args[0].input)).toEqual([
    {
      stateMachineArn: MACHINE,
      name: '20261121T060000Z',
      input: JSON.stringify({ slot: SLOT, snapshotArn: 'arn:new', takenAt }),
    },
  ]);
});

const automated = (...DBSnapshots: object[]) =>
  rds.on(DescribeDBSnapshotsCommand, { SnapshotType: 'automated' }).resolves({ DBSnapshots });

test.each([
  ['AWS Backup', '2026-11-21T00:03:00Z', 'arn:new'],
  ['RDS itself', '2026-11-21T00:05:00Z', 'arn:auto'],
])('the newest snapshot is archived where %s took it', async (_, taken, newest) => {
  automated(snapshot('arn:auto', taken));
  await startArchive(workflow, SLOT, NOW);
  expect(sfn.commandCalls(StartExecutionCommand)[0]?.args[0].input.input).toContain(`"${newest}"`);
});

test.each([
  [4, '2026-11-21T06:05:00Z', '6.0 hours old, and at most 6 are'],
  [undefined, '2026-11-22T02:05:00Z', '26.0 hours old, and at most 26 are'],
])('with recovery points every %s hours, an older one is not archived as if it were of now', async (hours, at, age) => {
  const every = { ...workflow, frequencyHours: hours };
  expect(await startArchive(every, SLOT, new Date(Date.parse(at) - 120_000))).toMatchObject({ isNew: true });
  sfn.resetHistory();
  const refused = startArchive(every, SLOT, new Date(at));
  await expect(refused).rejects.toMatchObject({ code: 'snapshot_stale', retryable: true });
  await expect(refused).rejects.toThrow(`arn:new, is ${age}`);
  expect(sfn.commandCalls(StartExecutionCommand)).toHaveLength(0);
});

test('a snapshot that RDS took by itself is archived where AWS Backup took none, and without either it is refused', async () => {
  rds.on(DescribeDBSnapshotsCommand, { SnapshotType: 'awsbackup' }).resolves({ DBSnapshots: [] });
  await expect(startArchive(workflow, SLOT, NOW)).rejects.toMatchObject({ code: 'no_snapshot' });
  automated(snapshot('arn:auto', '2026-11-21T03:00:00Z'));
  expect(await startArchive(workflow, SLOT, NOW)).toMatchObject({ isNew: true, takenAt: '2026-11-21T03:00:00.000Z' });
});

test('an archive that is under way is not overtaken, and one of this slot is not made again', async () => {
  const running = { name: '20261120T060000Z', executionArn: 'arn:running' };
  sfn.on(ListExecutionsCommand, { stateMachineArn: MACHINE, statusFilter: 'RUNNING' }).resolves({
    executions: [{ ...running, stateMachineArn: MACHINE, status: 'RUNNING', startDate: new Date() }],
  });
  expect(await startArchive(workflow, SLOT, NOW)).toEqual({
    slot: '2026-11-20T06:00:00Z',
    executionArn: 'arn:running',
    isNew: false,
  });
  expect(sfn.commandCalls(StartExecutionCommand)).toHaveLength(0);

  sfn.on(ListExecutionsCommand).resolves({ executions: [] });
  sfn.on(StartExecutionCommand).rejects(new ExecutionAlreadyExists({ message: 'exists', $metadata: {} }));
  expect(await startArchive(workflow, SLOT, NOW)).toEqual({ slot: SLOT, executionArn: EXECUTION, isNew: false });
});

test.each([ListExecutionsCommand, StartExecutionCommand])(
  'a refusal of Step Functions may be tried again',
  async (command) => {
    sfn.on(command as typeof StartExecutionCommand).rejects(new Error('throttled'));
    await expect(startArchive(workflow, SLOT, NOW)).rejects.toMatchObject({
      code: 'workflow_unavailable',
      retryable: true,
    });
  },
);

test('a database that is not on RDS is copied by its workflow, which is given the slot alone', async () => {
  expect(await startArchive({ ...workflow, instance: undefined }, SLOT, NOW)).toEqual({
    slot: SLOT,
    executionArn: EXECUTION,
    isNew: true,
  });
  expect(rds.calls()).toEqual([]);
  expect(sfn.commandCalls(StartExecutionCommand)[0]?.args[0].input.input).toBe(JSON.stringify({ slot: SLOT }));
});
