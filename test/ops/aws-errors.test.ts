import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startHttpServer, type HttpServer } from '../../local/runtime/http-server';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';
import { writePlatformFile } from './write-platform-file';

/** What the command line makes of AWS's refusals: a server answers as Lambda does, over HTTP. */
let lambda: HttpServer;
let answer: { readonly status: number; readonly type?: string; readonly body: object; readonly functionError?: string };
let folder: string;
let invoked: string[];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'ops-errors-'));
  lambda = await startHttpServer(async (request, response) => {
    invoked.push(request.url ?? '');
    request.resume();
    response.writeHead(answer.status, {
      'content-type': 'application/json',
      ...(answer.type === undefined ? {} : { 'x-amzn-errortype': answer.type }),
      ...(answer.functionError === undefined ? {} : { 'x-amz-function-error': answer.functionError }),
    });
    response.end(JSON.stringify(answer.body));
    return Promise.resolve();
  });
  writePlatformFile(folder, lambda.url, { pid: process.pid, startedAt: 'now' });
});
afterAll(async () => {
  await lambda.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  invoked = [];
});

const ops = (line: string) =>
  runOps([...wordsOf(line), '--env', 'local'], { environment: { OPS_LOCAL_FOLDER: folder } });

test.each([
  [
    403,
    'ExpiredTokenException',
    'The security token included in the request is expired',
    4,
    'The AWS session has expired: log in again (aws sso login), then repeat the command',
  ],
  [
    403,
    'UnrecognizedClientException',
    'The security token included in the request is invalid.',
    4,
    'AWS does not know the credentials: check AWS_PROFILE and its account.',
  ],
  [
    403,
    'AccessDeniedException',
    'User: arn:aws:iam::1:user/ann is not authorized',
    4,
    'Not allowed to invoke BillingOps-local-verify: your role lacks the permission. User: arn:aws:iam::1:user/ann',
  ],
  [
    429,
    'TooManyRequestsException',
    'Rate Exceeded.',
    3,
    'Cannot invoke BillingOps-local-verify: as many runs as are allowed are active.',
  ],
  [
    404,
    'ResourceNotFoundException',
    'Function not found: BillingOps-local-verify',
    4,
    'local has no function BillingOps-local-verify: it is of another version of the platform',
  ],
  [500, 'ServiceException', 'Something broke', 4, 'Cannot invoke BillingOps-local-verify: Something broke'],
])('the answer %i %s is one line that says what to do', async (status, type, Message, exit, expected) => {
  answer = { status, type, body: { Message, message: Message } };
  const outcome = await ops('verify billing');
  expect([outcome.status, outcome.stdout]).toEqual([exit, '']);
  expect(outcome.stderr).toMatch(/^error: .+\n$/);
  expect(outcome.stderr).toContain(expected);
  // An invocation that failed is not repeated: it may have run.
  expect(invoked).toHaveLength(1);
});

test.each([
  [
    'StoreUnavailable',
    'Cannot list archives',
    4,
    'verify: Cannot list archives. (store_unavailable) See docs/runbook.md#backup-failed',
  ],
  ['InvalidRequest', 'The request is malformed: host: expected text', 2, '(invalid_request)'],
  ['BackupRunning', 'Another backup runs', 3, '(backup_running)'],
  [
    'Sandbox.Timedout',
    '2026-11-21 Task timed out after 900.00 seconds',
    4,
    'It ran out of time; what it did so far stays done: ops logs verify',
  ],
  ['Runtime.ExitError', 'signal: killed', 4, 'signal: killed (Runtime.ExitError)'],
])(
  'a function that fails with %s ends the command with the exit of its error code',
  async (type, message, exit, expected) => {
    answer = { status: 200, functionError: 'Unhandled', body: { errorType: type, errorMessage: message } };
    const outcome = await ops('verify billing');
    expect([outcome.status, outcome.stdout]).toEqual([exit, '']);
    expect(outcome.stderr).toMatch(/^error: .+\n$/);
    expect(outcome.stderr).toContain(expected);
  },
);

test('a report of another version is refused instead of printed half', async () => {
  answer = { status: 200, body: { database: 'billing', sound: true } };
  const outcome = await ops('verify billing');
  expect(outcome.status).toBe(4);
  expect(outcome.stderr).toContain('answers in the form of another version (host, targetDatabase, problems)');
});

test('an action that cannot be recorded is not done, unless the operator says so', async () => {
  answer = { status: 403, type: 'AccessDeniedException', body: { Message: 'no' } };
  const { status, stderr } = await ops('drill billing');
  expect(status).toBe(4);
  expect(stderr).toContain('Nothing was done, because it cannot be recorded in the audit log:');
  expect(invoked.filter((url) => url.includes('-drill'))).toEqual([]);

  await ops('drill billing --without-audit');
  expect(invoked.filter((url) => url.includes('-drill'))).toHaveLength(1);
});

test('a platform that ended without stopping is reported with the command that starts it', async () => {
  writePlatformFile(folder, lambda.url, { pid: 2 ** 22 + 1, startedAt: 'long ago' });
  try {
    expect((await ops('status')).stderr).toBe(
      'error: The local platform ended without stopping properly: start it with "npm start" and leave it running\n',
    );
  } finally {
    writePlatformFile(folder, lambda.url, { pid: process.pid, startedAt: 'now' });
  }
});
