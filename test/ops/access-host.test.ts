import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

const lambda = mockClient(LambdaClient);
const HOST = 'billing-recovered-1.abc.eu-central-1.rds.amazonaws.com';

test('access is planned and applied on the recovered instance that is named', async () => {
  const requests: Record<string, unknown>[] = [];
  lambda.on(InvokeCommand).callsFake(({ FunctionName, Payload }: { FunctionName: string; Payload: Uint8Array }) => {
    const request = JSON.parse(Buffer.from(Payload).toString()) as Record<string, unknown>;
    if (FunctionName.includes('migrate')) requests.push(request);
    const passwords = ['billing_service_user'];
    const report = { database: 'billing', dryRun: request.dryRun, changes: [], passwords, locksOut: [], obstacles: [] };
    return { StatusCode: 200, Payload: { transformToString: () => JSON.stringify(report) } };
  });
  const ops = (line: string) => runOps([...wordsOf(line), '--env', 'dev']);
  const request = { action: 'access', database: 'billing', host: HOST, keep: [] };

  const planned = await ops(`access plan billing --host ${HOST}`);
  expect([planned.status, planned.stdout]).toEqual([1, expect.stringContaining('password billing_service_user')]);
  const applied = await ops(`access apply billing --host ${HOST} --confirm billing --without-audit`);
  expect([applied.status, applied.stdout]).toEqual([0, expect.stringContaining('1 password made')]);
  expect(requests).toEqual([true, true, false].map((dryRun) => ({ ...request, dryRun })));
});
