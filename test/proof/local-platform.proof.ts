import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { Client } from 'pg';
import { waitUntil } from '../../local/pass/check';
import { readLedger } from '../../local/pass/ledger';
import type { PlatformFile } from '../../local/platform/contract';
import { readPlatformFile } from '../../local/platform/platform-file';
import { deliver } from '../../local/stripe/delivery';
import { eventObject } from '../../local/stripe/objects';
import type { BackupReport } from '../../lambdas/backup/contract';
import type { PlatformCommand, PlatformMessage } from '../support/start-platform';

/** The whole platform as `npm start` runs it, from the synthesised template, in a folder of its own. */
jest.setTimeout(120_000);

const directory = mkdtempSync(path.join(tmpdir(), 'billing-operations-platform-'));
chmodSync(directory, 0o755);
const lines: string[] = [];
let program: ChildProcess;
let platform: { readonly endpoint: string; readonly signingSecret: string; readonly billingUrl: string };
let billing: Client;
let lambda: LambdaClient;

beforeAll(async () => {
  program = fork(path.join(__dirname, '../support/start-platform.ts'), [directory], { execArgv: ['--import', 'tsx'] });
  platform = await new Promise((resolve, reject) => {
    program.on('message', (message: PlatformMessage) => {
      if ('up' in message) resolve(message.up);
      else lines.push(message.line);
    });
    program.once('exit', () => reject(new Error('the platform did not start')));
  });
  billing = new Client({ connectionString: platform.billingUrl });
  await billing.connect();
});
afterAll(async () => {
  lambda.destroy();
  await billing.end();
  command('stop');
  await once(program, 'exit');
  rmSync(directory, { recursive: true, force: true });
});

const command = (name: PlatformCommand) => program.send(name);
const send = (type: string, object: object) => {
  const event = eventObject(type, object);
  return deliver(event, { url: platform.endpoint, secret: platform.signingSecret }).then(({ status }) => ({
    id: event.id,
    status,
  }));
};

async function untilProcessed(id: string): Promise<void> {
  await waitUntil(async () => {
    const { status } = (await readLedger(billing)).get(id) ?? { status: 'not in the ledger' };
    return status === 'processed' ? undefined : `${id} is ${status}`;
  }, 30_000);
}

test('the platform file says where the Invoke API listens, and the SDK starts a function there', async () => {
  const state = readPlatformFile(directory);
  expect(state).toMatchObject({
    status: 'running',
    platform: { environment: 'local', webhookUrl: platform.endpoint, process: { pid: program.pid } },
  });
  const { endpoints, region, environment } = (state as { platform: PlatformFile }).platform;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  lambda = new LambdaClient({ endpoint: endpoints.lambda, region, credentials });

  // Before the tables exist: it waits in the queue.
  const early = await send('customer.updated', { id: 'cus_early', object: 'customer', created: 1_790_000_000 });
  expect(early.status).toBe(200);
  // Longer than the batching window and the start of the processor, which would fail by now.
  await sleep(5_000);

  for (const database of ['billing', 'main']) {
    const Payload = JSON.stringify({ database, action: 'apply', dryRun: false });
    const answer = await lambda.send(
      new InvokeCommand({ FunctionName: `BillingOps-${environment}-migrate`, Payload, LogType: 'Tail' }),
    );
    expect(JSON.parse(answer.Payload?.transformToString() ?? '')).toMatchObject({ database, pending: [] });
    expect(answer.FunctionError).toBeUndefined();
  }
  command('start consumers');

  await untilProcessed(early.id);
});

test('an event with an emoji and a rare ideograph is taken and stored unchanged', async () => {
  const name = 'Zoë 🎉 𠮷';

  const { id, status } = await send('customer.updated', {
    id: 'cus_emoji',
    object: 'customer',
    created: 1_790_000_000,
    name,
  });

  expect(status).toBe(200);
  await untilProcessed(id);
  const { rows } = await billing.query<{ name: string }>(
    `SELECT payload #>> '{data,object,name}' AS name FROM billing.webhook_events WHERE id = $1`,
    [id],
  );
  expect(rows).toEqual([{ name }]);
});

test('a line is printed for each event, batch and invocation, and names what failed', async () => {
  lines.length = 0;
  const good = await send('customer.updated', { id: 'cus_line', object: 'customer', created: 1_790_000_000 });
  const poison = await send('customer.subscription.created', { id: 'sub_poison', object: 'subscription' });
  await untilProcessed(good.id);
  await waitUntil(
    async () =>
      lines.some((line) => line.includes(`${poison.id} customer.subscription.created (delivery 1)`))
        ? undefined
        : lines.join('\n'),
    30_000,
  );
  const Payload = JSON.stringify({ database: 'neither' });
  await lambda.send(new InvokeCommand({ FunctionName: 'BillingOps-local-backup', Payload }));

  expect(lines).toEqual(
    expect.arrayContaining([
      expect.stringMatching(new RegExp(`webhook .*200 ${good.id} customer.updated .*ms`)),
      expect.stringMatching(/processor .*1 of \d events failed/),
      expect.stringMatching(/backup .*invoked, failed: .*database/),
    ]),
  );
});

test('a backup that is invoked through the API archives the database', async () => {
  const { Payload } = await lambda.send(
    new InvokeCommand({ FunctionName: 'BillingOps-local-backup', Payload: JSON.stringify({ database: 'main' }) }),
  );

  const report = JSON.parse(Payload?.transformToString() ?? '') as BackupReport;
  expect(report).toMatchObject({ database: 'main', outcome: 'created' });
});
