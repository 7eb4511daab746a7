import { RotateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { curlCommand } from '../../local/instructions';
import { startSecretsManager } from '../../local/aws/secrets-manager';
import { waitUntil } from '../../local/pass/check';
import { fillDatabaseSecrets } from '../../local/platform/functions';
import { startDatabases } from '../../local/postgres/databases';
import { shellWord } from '../../local/runtime/shell';
import { Teardown } from '../../local/runtime/teardown';

let directory: string;

beforeEach(() => {
  const parent = mkdtempSync(join(tmpdir(), 'instructions-test-'));
  chmodSync(parent, 0o755);
  directory = join(parent, `it's 50% of & "my" work`);
  mkdirSync(directory);
});
afterEach(() => {
  rmSync(join(directory, '..'), { recursive: true, force: true });
});

test('the printed database address connects with TLS verified, in a folder of any name, and the platform after a rotation', async () => {
  const teardown = new Teardown();
  try {
    const { billing } = await startDatabases(directory, 'eu-central-1', teardown, () => undefined);
    // As the shell hands it to psql.
    const url = execFileSync('sh', ['-c', `printf %s ${shellWord(billing.url)}`], { encoding: 'utf8' });

    const client = new Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query(
      'SELECT ssl, current_database() AS name FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    );
    await client.end();

    expect(rows).toEqual([{ ssl: true, name: 'billing' }]);
    // Neither libpq nor a shell that the address is pasted into unquoted may meet a space or a quote.
    expect(url).toMatch(/^[\w.:/@?=&%-]+$/);

    const manager = await startSecretsManager();
    teardown.add(() => manager.stop());
    const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
    const secrets = new SecretsManagerClient({ endpoint: manager.endpoint, region: 'eu-central-1', credentials });
    teardown.add(() => secrets.destroy());
    fillDatabaseSecrets(manager, secrets, [billing], {});
    await secrets.send(new RotateSecretCommand({ SecretId: billing.secretArn }));
    await waitUntil(async () => (billing.url === url ? 'the password is the former one' : undefined), 30_000);

    await (await billing.connect()).end();
    const renewed = new Client({ connectionString: billing.url });
    await renewed.connect();
    await renewed.end();
    await expect(new Client({ connectionString: url }).connect()).rejects.toMatchObject({ code: '28P01' });
  } finally {
    await teardown.run();
  }
});

test('the printed command sends the event of the file, signed, from a folder of any name', async () => {
  const file = join(directory, 'event.json');
  writeFileSync(file, '{"id": "evt_1"}');
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const requests: { signature: string; body: string }[] = [];
  server.on('request', (request: IncomingMessage, response: { end(): void }) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      requests.push({ signature: String(request.headers['stripe-signature']), body });
      response.end();
    });
  });

  const shell = spawn('sh', ['-c', curlCommand(`http://127.0.0.1:${port}/`, 'whsec_x', file)], { stdio: 'ignore' });
  const [status] = (await once(shell, 'exit')) as [number];
  server.close();

  const [{ signature, body } = { signature: '', body: '' }] = requests;
  const time = /^t=(\d+),/.exec(signature)?.[1] ?? '';
  const expected = createHmac('sha256', 'whsec_x').update(`${time}.${body}`).digest('hex');
  expect([status, body, signature]).toEqual([0, '{"id": "evt_1"}', `t=${time},v1=${expected}`]);
});

test('a run whose output is no longer read ends in order and without a stack trace', async () => {
  const program = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'print-lines.ts')]);
  let errors = '';
  program.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  await once(program.stdout, 'data');

  program.stdout.destroy();
  const [status] = (await once(program, 'exit')) as [number];

  expect([status, errors]).toEqual([7, '']);
});
