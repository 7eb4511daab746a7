import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { waitUntil } from '../../local/pass/check';
import { PLATFORM_FILE, platformFile } from '../../local/platform/contract';
import { debianPackages, pythonWith } from '../proof/tools';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';
import { tilledEvent, tilledSubscription } from '../factories/tilled-objects';
import { startedPlatform, type StartedPlatform } from './started-platform';

/** The API as it is deployed – bundle, routes of the template, role of PostgreSQL – by HTTP, with keys of `ops keys`. */
jest.setTimeout(180_000);

const python = pythonWith(['schemathesis==4.32.5', 'prometheus-client==0.26.0']);
const prometheus = debianPackages(['prometheus']);

let platform: StartedPlatform;
let url: string;
let admin: string;
beforeAll(async () => {
  platform = await startedPlatform();
  url = listening().apiUrl;
  for (const database of ['billing', 'main']) await ops(`migrate apply ${database}`);
  admin = await newKey('keys create admin --name proof --all-projects');
});
afterAll(() => platform.stop());

const listening = () => platformFile.parse(JSON.parse(readFileSync(path.join(platform.folder, PLATFORM_FILE), 'utf8')));

const outcomeOf = (line: string) =>
  runOps([...wordsOf(line), '--env', 'local'], { environment: { OPS_LOCAL_FOLDER: platform.folder } });

async function ops(line: string): Promise<string> {
  const { status, stdout, stderr } = await outcomeOf(line);
  if (status !== 0) throw new Error(`${line}: ${stderr}${stdout}`);
  return stdout;
}

async function newKey(line: string): Promise<string> {
  const [key] = /bok_\w{12}_[\w-]{43}/.exec(await ops(line)) ?? [];
  if (key === undefined) throw new Error(`${line} printed no key`);
  return key;
}

const get = (route: string, key = admin, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}${route}`, { headers: { authorization: `Bearer ${key}`, ...headers } });

test('a key of ops opens what it is for, its replacement too, and a revoked one nothing', async () => {
  const route = '/api/v1/entitlements/ann%2F1?project=p1';
  const key = await newKey('keys create entitlements:read --name academy --project p1');
  const first = await get(route, key);
  expect([first.status, await first.json()]).toEqual([200, { user: 'ann/1', project: 'p1', version: 0, features: [] }]);
  expect((await get(route, key, { 'if-none-match': first.headers.get('etag') ?? '' })).status).toBe(304);
  expect((await get('/metrics', key)).status).toBe(403);

  const id = key.slice(4, 16);
  const replacement = await newKey(`keys rotate ${id} --overlap-hours 0`);
  expect([(await get(route, key)).status, (await get(route, replacement)).status]).toEqual([401, 200]);
  await ops(`keys revoke ${replacement.slice(4, 16)}`);
  expect((await get(route, replacement)).status).toBe(401);
  const list = await ops('keys list');
  expect(list).toMatch(new RegExp(`${id} +academy +expired`));
  expect(list).not.toContain(key.slice(17));
});

test('what the API changes is in the audit log, with the key that asked for it', async () => {
  const response = await fetch(`${url}/api/v1/entitlements/ann/recompute`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin}` },
  });
  expect([response.status, await response.json()]).toEqual([200, { sources: 0, changed: 0 }]);
  expect(await ops('audit')).toMatch(
    new RegExp(`API key ${admin.slice(4, 16)} \\(proof\\) +API: recompute entitlements of ann +done`),
  );
});

test.each(['/health', '/healthz', '/live', '/ready', '/health/db', '/health/jobs', '/api/health'])(
  'HEAD %s has the status and the headers of GET, and no body',
  async (route) => {
    const [head, full] = [await fetch(`${url}${route}`, { method: 'HEAD' }), await fetch(`${url}${route}`)];
    expect([head.status, await head.text()]).toEqual([full.status, '']);
    expect(head.headers.get('content-type')).toBe(full.headers.get('content-type'));
  },
);

test.each([
  ['GET', '/nothing', 404, 'not_found'],
  ['DELETE', '/admin', 404, 'not_found'],
  ['GET', '/api/v1/entitlements/%ZZ', 400, 'refused'],
])(
  '%s %s, which no function sees, is answered %s with a problem and the headers of the API',
  async (method, route, status, code) => {
    const response = await fetch(`${url}${route}`, { method });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/problem+json',
      'strict-transport-security': 'max-age=63072000; includeSubDomains',
      'x-content-type-options': 'nosniff',
    });
  },
);

test('through its aliases, functions refuse what no route offers, and change nothing', async () => {
  const lambda = new LambdaClient({
    endpoint: listening().endpoints.lambda,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const invoke = async (name: string, request: object): Promise<unknown> => {
    const FunctionName = `BillingOps-local-${name}`;
    const answer = await lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(request) }));
    return JSON.parse(answer.Payload?.transformToString() ?? 'null');
  };
  const rules = { action: 'put-rules', rules: [], dryRun: false };
  expect(await invoke('entitlements:api', rules)).toMatchObject({ errorType: 'NotAdmitted' });
  expect(await invoke('entitlements', { ...rules, dryRun: true })).toMatchObject({ dryRun: true });
  lambda.destroy();
});

test('failed events of Tilled are applied by a command, and those of Stripe with the same ids are left alone', async () => {
  const event = { ...tilledEvent('subscription.created', tilledSubscription()), id: 'evt_both' };
  for (const provider of ['stripe', 'tilled']) {
    await platform.billing.query(
      `INSERT INTO billing.webhook_events
         (provider, id, type, livemode, source, status, attempts, error, occurred_at, received_at, payload)
       VALUES ($1, 'evt_both', 'subscription.created', false, 'webhook', 'failed', 3, 'it was refused', now(), now(), $2)`,
      [provider, event],
    );
  }
  const dry = await outcomeOf('webhooks retry --provider tilled --failed --dry-run');
  expect([dry.status, dry.stderr, dry.stdout]).toEqual([0, '', expect.stringMatching(/evt_both.+would be applied/)]);
  const retried = await outcomeOf('webhooks retry --provider tilled --failed');
  expect([retried.status, retried.stdout]).toEqual([0, expect.stringMatching(/evt_both.+ applied/)]);
  const { rows } = await platform.billing.query(
    `SELECT provider, status, (SELECT id FROM billing.subscriptions) AS stored FROM billing.webhook_events
     WHERE id = 'evt_both' ORDER BY provider`,
  );
  expect(rows).toEqual([
    { provider: 'stripe', status: 'failed', stored: 'tilled:sub_1' },
    { provider: 'tilled', status: 'processed', stored: 'tilled:sub_1' },
  ]);
  const unknown = await outcomeOf('webhooks retry --provider tilled evt_nowhere');
  expect([unknown.status, unknown.stdout]).toEqual([1, expect.stringMatching(/evt_nowhere.+found nowhere/)]);
});

test('the log of the function has no key', () => {
  const log = readFileSync(path.join(platform.folder, 'logs/BillingOps-local-api.log'), 'utf8');
  expect(log).toContain('Rejected a key');
  expect(log).not.toMatch(/bok_\w{12}_/);
});

(python ? describe : describe.skip)('the API', () => {
  test('has no fault and no answer that is not in the document, says schemathesis', async () => {
    const checks = [
      'not_a_server_error',
      'status_code_conformance',
      'content_type_conformance',
      'response_schema_conformance',
      'response_headers_conformance',
      'negative_data_rejection',
      'ignored_auth',
    ];
    const child = spawn(
      path.join(path.dirname(python ?? ''), 'schemathesis'),
      [
        'run',
        `${url}/api/openapi.json`,
        '--header',
        `Authorization: Bearer ${admin}`,
        '--phases=examples,coverage,fuzzing',
        '--max-examples=15',
        `--checks=${checks.join(',')}`,
        // Jobs that never ran are late, which is 503 by design.
        '--exclude-path=/health/jobs',
        '--seed=1',
        '--no-color',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], cwd: platform.folder },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    const [code] = (await once(child, 'close')) as [number];
    expect(code === 0 ? '' : output).toBe('');
    // All but the document itself and the one that is left out above; HEAD of six probes.
    expect(output).toMatch(/Tested: +17\n/);
  });
});

/** Processes of a server: each connection has one. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}

/** What a lint of the scraped text says. */
function lint(command: string, args: readonly string[], text: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { input: text, encoding: 'utf8' });
  return status === 0 ? '' : `${stdout}${stderr}`;
}

(prometheus ? describe : describe.skip)('/metrics', () => {
  test('has nothing that promtool objects to', async () => {
    const text = await (await get('/metrics')).text();
    const promtool = path.join(prometheus ?? '', 'usr/bin/promtool');
    expect(lint(promtool, ['check', 'metrics'], text)).toBe('');
    expect(lint(promtool, ['check', 'metrics'], text.replaceAll(/^# HELP.*\n/gm, ''))).toContain('no help text');
  });
});

(python ? describe : describe.skip)('/metrics', () => {
  test("is read by Prometheus' own parser, every figure of it", async () => {
    const text = await (await get('/metrics')).text();
    const script = `import sys
from prometheus_client.parser import text_string_to_metric_families as parse
families = list(parse(sys.stdin.read()))
assert all(family.type == 'gauge' and family.documentation for family in families), families
assert 'billing_job_late' in [family.name for family in families], families`;
    expect(lint(python ?? '', ['-c', script], text)).toBe('');
  });
});

describe('with a database that', () => {
  const data = () => path.join(platform.folder, 'clusters/billing/server/data');
  const serverPid = () => Number(readFileSync(path.join(data(), 'postmaster.pid'), 'utf8').split('\n')[0]);
  const route = '/api/v1/entitlements/ann?project=p1';
  /** Status and state by probe. */
  const states = async () =>
    Promise.all(
      ['/live', '/ready', '/api/health'].map(async (each) => {
        const response = await fetch(`${url}${each}`);
        return [response.status, ((await response.json()) as { db?: string }).db];
      }),
    );
  const entitlements = async () => {
    const response = await get(route);
    return [response.status, ((await response.json()) as { code?: string }).code];
  };
  const unavailable = (db: string) => [
    [200, undefined],
    [503, db],
    [503, db],
  ];
  let command: string[];
  let standby: ChildProcess | undefined;
  beforeAll(() => {
    // Its connection breaks with the server.
    platform.billing.on('error', () => undefined);
    command = readFileSync(`/proc/${serverPid()}/cmdline`, 'utf8').split('\0').slice(0, -1);
  });
  afterAll(async () => {
    if (standby === undefined) return;
    standby.kill('SIGINT');
    await once(standby, 'exit');
  });

  test('hangs, probes are 503 before a statement times out, and 200 again when it answers', async () => {
    const processes = [serverPid(), ...childrenOf(serverPid())];
    for (const pid of processes) process.kill(pid, 'SIGSTOP');
    const started = performance.now();
    try {
      expect(await states()).toEqual(unavailable('slow'));
      // Each after a second, and an instance may have to start first; a statement would have ten.
      expect(performance.now() - started).toBeLessThan(9_000);
    } finally {
      for (const pid of processes) process.kill(pid, 'SIGCONT');
    }
    await waitUntil(async () => ((await fetch(`${url}/ready`)).ok ? undefined : 'it is not ready again'), 20_000);
  });

  test('is down, probes and applications are answered 503 at once', async () => {
    const { uid, gid } = statSync(data());
    await platform.billing.query("UPDATE billing.api_keys SET last_used_at = now() - interval '1 hour'");
    process.kill(serverPid(), 'SIGINT');
    await waitUntil(async () => (existsSync(path.join(data(), 'postmaster.pid')) ? 'it runs' : undefined), 20_000);
    expect(await states()).toEqual(unavailable('down'));
    expect(await entitlements()).toEqual([503, 'database_unavailable']);
    writeFileSync(path.join(data(), 'standby.signal'), '');
    chownSync(path.join(data(), 'standby.signal'), uid, gid);
    standby = spawn(command[0] ?? '', command.slice(1), {
      uid,
      gid,
      cwd: path.dirname(data()),
      env: { LC_ALL: 'C' },
      stdio: 'ignore',
    });
  });

  test('is in recovery, probes say so, and a key whose use cannot be recorded is answered 503', async () => {
    await waitUntil(async () => {
      const [, [, db] = []] = await states();
      return db === 'recovery' ? undefined : `the database is ${db}`;
    }, 30_000);
    expect(await states()).toEqual(unavailable('recovery'));
    expect(await entitlements()).toEqual([503, 'database_unavailable']);
  });
});
