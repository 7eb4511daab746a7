import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  SFNClient,
  StartExecutionCommand,
  StateMachineDoesNotExist,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { startStepFunctions } from '../../local/aws/step-functions';
import { waitUntil } from '../../local/pass/check';
import type { HttpServer } from '../../local/runtime/http-server';
import type { Definition, Json } from '../../local/states/definition';
import { StatesError } from '../../local/states/errors';
import { Executions, type StateMachine } from '../../local/states/executions';

/** Three parts, two at the same time, by calls that the test answers. */
const DEFINITION: Definition = {
  QueryLanguage: 'JSONata',
  StartAt: 'Look',
  States: {
    Look: { Type: 'Pass', Output: [1, 2, 3], Next: 'Copy the parts' },
    'Copy the parts': {
      Type: 'Map',
      Items: '{% $states.input %}',
      MaxConcurrency: 2,
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        StartAt: 'Copy one part',
        States: {
          'Copy one part': { Type: 'Task', Resource: 'copy', Arguments: { part: '{% $states.input %}' }, End: true },
        },
      },
      End: true,
    },
  },
};
const MACHINE: StateMachine = {
  arn: 'arn:aws:states:eu-central-1:1:stateMachine:copy',
  name: 'copy',
  definition: DEFINITION,
};

let server: HttpServer;
let sfn: SFNClient;
/** Ends the call of a part. */
const pending: { readonly part: Json; readonly end: (error?: Error) => void }[] = [];

beforeAll(async () => {
  const copy = ({ part = null }: Readonly<Record<string, Json>>) =>
    new Promise<Json>((resolve, reject) => {
      pending.push({ part, end: (error) => (error ? reject(error) : resolve(part)) });
    });
  server = await startStepFunctions({ machines: [MACHINE], executions: new Executions({ services: { copy } }) });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  sfn = new SFNClient({ endpoint: server.url, region: 'eu-central-1', credentials });
});
afterEach(() => pending.splice(0).forEach(({ end }) => end()));
afterAll(async () => {
  sfn.destroy();
  await server.stop();
});

async function start(name: string): Promise<string> {
  const { executionArn = '' } = await sfn.send(new StartExecutionCommand({ stateMachineArn: MACHINE.arn, name }));
  return executionArn;
}

const waitForCalls = (count: number) =>
  waitUntil(() => Promise.resolve(pending.length === count ? undefined : `${pending.length} calls`), 2_000);

async function ended(executionArn: string) {
  await waitUntil(async () => {
    const { status } = await sfn.send(new DescribeExecutionCommand({ executionArn }));
    return status === 'RUNNING' ? 'it is still running' : undefined;
  }, 2_000);
  return sfn.send(new DescribeExecutionCommand({ executionArn }));
}

test('parts are copied as many at a time as the map allows, and the execution shows its state and its output', async () => {
  const executionArn = await start('a');
  await waitForCalls(2);
  const { events = [] } = await sfn.send(new GetExecutionHistoryCommand({ executionArn, reverseOrder: true }));
  expect(events.map(({ type, stateEnteredEventDetails }) => [type, stateEnteredEventDetails?.name])).toEqual([
    ['MapStateEntered', 'Copy the parts'],
    ['PassStateEntered', 'Look'],
  ]);
  pending[1]?.end();
  await waitForCalls(3);
  expect(pending.map(({ part }) => part)).toEqual([1, 2, 3]);
  pending.forEach(({ end }) => end());
  const { status, output = '', stopDate } = await ended(executionArn);
  expect([status, JSON.parse(output)]).toEqual(['SUCCEEDED', [1, 2, 3]]);
  expect(stopDate).toBeInstanceOf(Date);
});

test('a part that fails ends the execution with the error of the map, and no further part is begun', async () => {
  const executionArn = await start('b');
  await waitForCalls(2);
  pending[0]?.end(new StatesError('CopyFailed', 'the server went away'));
  pending[1]?.end();
  expect(await ended(executionArn)).toMatchObject({
    status: 'FAILED',
    error: 'States.ExceedToleratedFailureThreshold',
  });
  expect(pending).toHaveLength(2);
});

test('a start that is repeated is the same execution while it runs, and refused once it has ended', async () => {
  const executionArn = await start('c');
  await waitForCalls(2);
  expect(await start('c')).toBe(executionArn);
  expect(pending).toHaveLength(2);
  await sfn.send(new StopExecutionCommand({ executionArn, error: 'Aborted', cause: 'by an operator' }));
  expect(await ended(executionArn)).toMatchObject({ status: 'ABORTED', error: 'Aborted', cause: 'by an operator' });
  await expect(start('c')).rejects.toBeInstanceOf(ExecutionAlreadyExists);
});

test('executions are listed newest first and by status, and what does not exist is refused as Step Functions does', async () => {
  await start('d');
  const listed = (statusFilter?: 'RUNNING') =>
    sfn.send(new ListExecutionsCommand({ stateMachineArn: MACHINE.arn, statusFilter }));
  expect((await listed()).executions?.map(({ name }) => name)).toEqual(['d', 'c', 'b', 'a']);
  expect((await listed('RUNNING')).executions?.map(({ name }) => name)).toEqual(['d']);
  const unknown = MACHINE.arn.replace(':copy', ':other');
  await expect(sfn.send(new ListExecutionsCommand({ stateMachineArn: unknown }))).rejects.toBeInstanceOf(
    StateMachineDoesNotExist,
  );
  await expect(sfn.send(new DescribeExecutionCommand({ executionArn: unknown }))).rejects.toBeInstanceOf(
    ExecutionDoesNotExist,
  );
});
