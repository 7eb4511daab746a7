import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import { runOps } from './run-ops';

const lambda = mockClient(LambdaClient);

test('following a run asks only for the runs of its kind and database', async () => {
  const run = {
    startedAt: '2026-11-20T06:00:00.000Z',
    outcome: 'passed',
    slot: null,
    rows: 1,
    durationMs: 1,
    targetMs: 1,
    error: null,
  };
  const requests: unknown[] = [];
  lambda.on(InvokeCommand).callsFake(({ Payload }: { Payload: Uint8Array }) => {
    requests.push(JSON.parse(Buffer.from(Payload).toString()));
    return {
      Payload: { transformToString: () => JSON.stringify({ action: 'drills', database: 'main', drills: [run] }) },
    };
  });
  const { status, stdout, stderr } = await runOps(['runs', '--follow', `drill:main:${run.startedAt}`, '--env', 'dev']);
  expect([status, stdout, stderr]).toEqual([0, `drill:main:${run.startedAt}: done, passed\n`, '']);
  expect(requests).toEqual([{ action: 'drills', database: 'main', limit: 20 }]);
});
