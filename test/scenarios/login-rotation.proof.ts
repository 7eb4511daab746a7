import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DescribeSecretCommand, RotateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LOGIN_USERS } from '../../core/access/contract';
import { waitUntil } from '../../local/pass/check';
import { PLATFORM_FILE, platformFile } from '../../local/platform/contract';
import { deliver } from '../../local/stripe/delivery';
import { eventObject, subscriptionObject } from '../../local/stripe/objects';
import { runOps } from '../ops/run-ops';
import { wordsOf } from '../ops/runbook-lines';
import { startedPlatform, type StartedPlatform } from '../ops/started-platform';

/** The platform as `npm start` runs it: its functions log in as the least of the roles, and its passwords rotate as AWS's do. */
jest.setTimeout(300_000);

const CREDENTIALS = { region: 'eu-central-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
const ROTATIONS = 3;

let platform: StartedPlatform;
let manager: SecretsManagerClient;

const ops = async (line: string): Promise<{ readonly status: number; readonly output: string }> => {
  const environment = { OPS_LOCAL_FOLDER: platform.folder };
  const { status, stdout, stderr } = await runOps([...wordsOf(line), '--env', 'local'], { environment });
  return { status, output: stdout + stderr };
};

beforeAll(async () => {
  platform = await startedPlatform();
  manager = new SecretsManagerClient({ endpoint: platform.endpoints.secretsManager, ...CREDENTIALS });
  for (const line of ['migrate apply billing', 'migrate apply main']) {
    const { status, output } = await ops(line);
    if (status !== 0) throw new Error(`ops ${line}: ${output}`);
  }
  // To end its sessions, as the administrator of RDS may.
  await platform.billing.query(
    'GRANT billing_service_user, billing_service_user_clone TO CURRENT_USER WITH INHERIT TRUE',
  );
  platform.startConsumers();
});
afterAll(async () => {
  manager.destroy();
  await platform.stop();
});

async function variable(stem: string, name: string): Promise<string> {
  const client = new LambdaClient({ endpoint: platform.endpoints.lambda, ...CREDENTIALS });
  const { Environment: deployed } = await client.send(
    new GetFunctionConfigurationCommand({ FunctionName: `BillingOps-local-${stem}` }),
  );
  client.destroy();
  return deployed?.Variables?.[name] ?? '';
}

/** Secrets of both owners and of every login. */
async function secretsOfDatabases(): Promise<string[]> {
  const logins = JSON.parse(await variable('migrate', 'LOGIN_SECRETS')) as Record<string, Record<string, string>>;
  return [
    await variable('inspect', 'BILLING_DATABASE_SECRET_ARN'),
    await variable('inspect', 'MAIN_DATABASE_SECRET_ARN'),
    ...Object.values(logins).flatMap((byLogin) => Object.values(byLogin)),
  ];
}

async function rotate(arn: string): Promise<void> {
  const { VersionId: token = '' } = await manager.send(new RotateSecretCommand({ SecretId: arn }));
  await waitUntil(async () => {
    const { VersionIdsToStages: stages = {} } = await manager.send(new DescribeSecretCommand({ SecretId: arn }));
    return stages[token]?.includes('AWSCURRENT') ? undefined : `${arn} did not rotate`;
  }, 20_000);
}

/** Repeats something until it is told to stop; what it throws is a failed request. */
function repeat(everyMs: number, request: () => Promise<unknown>) {
  const seen = { requests: 0, failures: [] as string[] };
  let running = true;
  const done = (async () => {
    while (running) {
      const started = performance.now();
      await request().then(
        () => (seen.requests += 1),
        (error: unknown) => seen.failures.push(String(error)),
      );
      await sleep(Math.max(0, everyMs - (performance.now() - started)));
    }
  })();
  return {
    seen,
    async stop() {
      running = false;
      await done;
    },
  };
}

const succeeds = (line: string) => async () => {
  const { status, output } = await ops(line);
  if (status !== 0) throw new Error(`ops ${line}: ${output}`);
};

const listening = () => platformFile.parse(JSON.parse(readFileSync(path.join(platform.folder, PLATFORM_FILE), 'utf8')));

const keyIn = ({ output }: { readonly output: string }): string => {
  const [key] = /bok_\w{12}_[\w-]{43}/.exec(output) ?? [];
  if (key === undefined) throw new Error(`no key is printed: ${output}`);
  return key;
};

/** Users that functions are connected as, as far as a look every 100 ms sees them. */
async function lookAtUsers(seen: Set<string>): Promise<void> {
  const { rows } = await platform.billing.query<{ usename: string }>(
    `SELECT DISTINCT usename::text FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> ''`,
  );
  for (const { usename } of rows) seen.add(usename);
}

test('three rotations of every password, and of an API key, under load fail no request', async () => {
  expect((await ops('access plan billing')).output).toContain('Roles and privileges of billing are as the policy says');
  const { apiUrl, webhookUrl: url } = listening();
  let key = keyIn(await ops('keys create entitlements:read --name academy --all-projects'));
  const sent: string[] = [];
  const arns = await secretsOfDatabases();
  expect(arns).toHaveLength(6);
  const loads = {
    webhooks: repeat(50, async () => {
      const event = eventObject(
        'customer.subscription.created',
        subscriptionObject({ id: `sub_rotated${sent.length}` }),
      );
      const { status, body } = await deliver(event, { url, secret: platform.signingSecret });
      if (status !== 200) throw new Error(`a webhook is answered ${status} ${body}`);
      sent.push(event.id);
    }),
    'API reads': repeat(100, async () => {
      const headers = { authorization: `Bearer ${key}` };
      const { status } = await fetch(`${apiUrl}/api/v1/entitlements/ann?project=p1`, { headers });
      if (status !== 200) throw new Error(`a read is answered ${status}`);
    }),
    measurements: repeat(1_000, succeeds('collect')),
    backups: repeat(2_000, succeeds('backup billing')),
  };
  const users = new Set<string>();
  const watch = repeat(100, () => lookAtUsers(users));
  const started = performance.now();
  try {
    for (let round = 0; round < ROTATIONS; round += 1) {
      for (const arn of arns) await rotate(arn);
      key = keyIn(await ops(`keys rotate ${key.slice(4, 16)}`));
      await sleep(1_500);
    }
  } finally {
    await Promise.all([...Object.values(loads), watch].map((load) => load.stop()));
  }
  const seconds = (performance.now() - started) / 1000;
  await waitUntil(async () => {
    const { rows } = await platform.billing.query<{ left: number }>(
      `SELECT $1::int - count(*)::int AS left FROM billing.webhook_events WHERE status = 'processed' AND id = ANY ($2)`,
      [sent.length, sent],
    );
    return rows[0]?.left === 0 ? undefined : `${rows[0]?.left} events are not processed`;
  }, 30_000);
  const figures = Object.fromEntries(Object.entries(loads).map(([name, { seen }]) => [name, seen.requests]));
  process.stdout.write(
    `${arns.length * ROTATIONS} rotations in ${seconds.toFixed(1)} s beside ${JSON.stringify(figures)}\n`,
  );
  for (const [name, { seen }] of Object.entries({ ...loads, watch })) {
    expect([name, seen.failures]).toEqual([name, []]);
    expect(seen.requests).toBeGreaterThan(2);
  }
  const logins = Object.values(LOGIN_USERS.billing);
  expect(logins.filter((user) => !users.has(user) && !users.has(`${user}_clone`))).toEqual([]);
  const pairs = logins.flatMap((user) => [user, `${user}_clone`]);
  expect([...users].filter((user) => ![...pairs, 'operations'].includes(user))).toEqual([]);
});
