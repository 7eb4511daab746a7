import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import type { VerifyReport } from '../../lambdas/verify/contract';
import { runOps } from './run-ops';

const WARNING = 'Extension postgres_fdw is not trusted: restores leave it out';
const report: VerifyReport = {
  database: 'main',
  host: 'main.example.com',
  targetDatabase: 'app',
  sound: true,
  problems: [],
  warnings: [WARNING],
  notChecked: [],
  schemaVersion: null,
  pendingMigrations: [],
  tables: 3,
  foreignKeysChecked: 1,
  sequencesChecked: 1,
  invariantsChecked: 0,
  newestAt: null,
  ageSeconds: null,
  durationMs: 5,
};

const ops = async (line: string) => {
  const lambda = mockClient(LambdaClient);
  lambda
    .on(GetFunctionConfigurationCommand)
    .resolves({ FunctionArn: 'arn:aws:lambda:eu-central-1:1:function:BillingOps-dev-x' });
  lambda
    .on(InvokeCommand)
    .resolves({ StatusCode: 200, Payload: { transformToString: () => JSON.stringify(report) } as never });
  const { status, stdout } = await runOps([...line.split(' '), '--env', 'dev']);
  return { status, stdout };
};

test('a warning is printed, and leaves a database sound', async () => {
  const { status, stdout } = await ops('verify main');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^sound +yes$/m);
  expect(stdout).toContain(`\nwarning: ${WARNING}\n`);
});
