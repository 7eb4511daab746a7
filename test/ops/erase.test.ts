import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import { contract, type EraseReport } from '../../lambdas/erasure/contract';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';
import { writePlatformFile } from './write-platform-file';

const PLAN: EraseReport = {
  action: 'erase',
  dryRun: true,
  erasureId: null,
  customers: ['cus_1'],
  users: 1,
  emails: 1,
  sharedUsers: 0,
  running: [],
  hooks: 0,
  hookProblems: [],
  tables: [{ database: 'billing', table: 'billing.charges', rows: 2 }],
  reportsDeleted: 0,
  otherDatabases: [],
  continueFrom: null,
};

const lambda = mockClient(LambdaClient);
const plan = (changes: Partial<EraseReport>, environment: Readonly<Record<string, string>> = {}, name = 'dev') => {
  lambda.on(GetFunctionConfigurationCommand).resolves({});
  lambda.on(InvokeCommand).callsFake(async ({ Payload }: { Payload: string }) => {
    contract.request.parse(JSON.parse(Payload));
    return { Payload: { transformToString: () => JSON.stringify({ ...PLAN, ...changes }) } };
  });
  return runOps([...wordsOf('erase --customer cus_1 --dry-run'), '--env', name], { environment });
};

test('erase says that the main database keeps everything where no hook is configured, and what is wrong with those that are', async () => {
  const without = await plan({});
  expect(without).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^billing +billing.charges +2$/m) as string,
  });
  expect(without.stdout).toMatch(
    /^erasure.main of the configuration is empty: the application's tables in the main database stay as they are$/m,
  );
  const wrong = await plan({ hooks: 2, hookProblems: ['app.users.email is integer'] });
  expect(wrong.status).toBe(1);
  expect(wrong.stdout).toMatch(/^erasure.main of the configuration: app.users.email is integer$/m);
  expect(wrong.stdout).not.toContain('is empty');
});

test('erase names databases that restores may have kept, and what erases the person there', async () => {
  expect((await plan({})).stdout).not.toContain('replay');
  const otherDatabases = [
    { database: 'billing' as const, targetDatabase: 'billing_check', toldApart: true },
    { database: 'billing' as const, targetDatabase: 'billing_other', toldApart: false },
  ];
  const kept = await plan({ otherDatabases });
  expect(kept.status).toBe(0);
  expect(kept.stdout).toMatch(
    /^ {2}billing_check: aws lambda invoke --function-name BillingOps-dev-erasure .*--payload '\{"action":"replay","database":"billing","targetDatabase":"billing_check","dryRun":false\}' answer.json$/m,
  );
  expect(kept.stdout).toMatch(
    /^ {2}billing_other \(not told apart: it may be of another environment\): aws lambda invoke /m,
  );
});

test('on the local platform, what erases a person elsewhere names the address that the platform listens at', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'ops-erase-'));
  try {
    writePlatformFile(folder, 'http://127.0.0.1:9', { pid: process.pid, startedAt: 'now' });
    const otherDatabases = [{ database: 'billing', targetDatabase: 'billing_check', toldApart: true }] as const;
    const { stdout } = await plan({ otherDatabases: [...otherDatabases] }, { OPS_LOCAL_FOLDER: folder }, 'local');
    expect(stdout).toContain(' --region eu-central-1 --endpoint-url http://127.0.0.1:9 --payload ');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
