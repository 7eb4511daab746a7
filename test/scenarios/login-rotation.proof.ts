import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  DescribeSecretCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOGIN_USERS } from '../../core/access/contract';
import { waitUntil } from '../../local/pass/check';
import { signatureOf } from '../../local/tilled/stand-in';
import { runOps } from '../ops/run-ops';
import { wordsOf } from '../ops/runbook-lines';
import { startedPlatform, type StartedPlatform } from '../ops/started-platform';
import { tilledEvent, tilledSubscription } from '../factories/tilled-objects';
import { startLoad } from '../support/platform-load';

/** The platform as `npm start` runs it: its functions log in as the least of the roles, and its passwords rotate as AWS's do. */
jest.setTimeout(300_000);

/** Of Stripe, as the issue asks. */
const WEBHOOKS_PER_SECOND = 200;

const CREDENTIALS = { region: 'eu-central-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
const ROTATIONS = 3;

let platform: StartedPlatform;
let manager: SecretsManagerClient;

const ops = async (line: string, piped = ''): Promise<{ readonly status: number; readonly output: string }> => {
  const environment = { OPS_LOCAL_FOLDER: platform.folder };
  const { status, stdout, stderr } = await runOps([...wordsOf(line), '--env', 'local'], { environment, piped });
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
  const ended = (async () => {
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
      await ended;
    },
  };
}

/** The output of a command that succeeds. */
async function done(line: string, piped?: string): Promise<string> {
  const { status, output } = await ops(line, piped);
  if (status !== 0) throw new Error(`ops ${line}: ${output}`);
  return output;
}

const keyIn = (output: string): string => {
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

/** Runs what it is given one after the other. */
function turns() {
  let last: Promise<unknown> = Promise.resolve();
  return <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}

/**
 * What providers sign with and accept, and how an operator changes it. At Stripe the former value is good until the new one is
 * stored, and ends then; at Tilled, which has one value at a time, it ends just as the new one is stored.
 */
class Providers {
  private readonly signing = { stripe: [platform.signingSecret], tilled: platform.tilled.signingSecret };
  private stripeKey = 'rk_test_local0000';
  private tilledEvents = 0;
  /** The function `replay` has one instance, which proves a new key and looks for gaps. */
  private readonly inTurn = turns();

  constructor(private readonly arns: Readonly<Record<'tilledSigning' | 'tilledApi', string>>) {}

  readonly stripeSecrets = () => this.signing.stripe;

  /** Calls the API of both, with the key that the function has in memory. */
  async readFromBoth(): Promise<void> {
    for (const provider of ['stripe', 'tilled'])
      await this.inTurn(() => done(`webhooks gaps --provider ${provider} --from 1m`));
  }

  async deliverOfTilled(): Promise<void> {
    const event = tilledEvent('subscription.created', tilledSubscription({ id: `sub_${(this.tilledEvents += 1)}` }));
    const body = JSON.stringify({ ...event, id: `evt_rotated${this.tilledEvents}` });
    const headers = {
      'content-type': 'application/json',
      'tilled-signature': signatureOf(body, this.signing.tilled, Date.now()),
    };
    const { status } = await fetch(platform.tilled.endpoint, { method: 'POST', headers, body });
    if (status !== 200) throw new Error(`a webhook of Tilled is answered ${status}`);
  }

  async rollAll(): Promise<void> {
    const hex = (): string => randomBytes(12).toString('hex');
    const secret = `whsec_${hex()}`;
    this.signing.stripe = [...this.signing.stripe, secret];
    await done('secrets put-stripe signing-secret --confirm local', secret);
    this.signing.stripe = [secret];

    const key = `rk_test_${hex()}`;
    platform.acceptKeys('stripe', this.stripeKey, key);
    await this.inTurn(() => done('secrets put-stripe api-key --confirm local', key));
    platform.acceptKeys('stripe', key);
    this.stripeKey = key;

    const [current, previous] = [`whsec_${hex()}`, this.signing.tilled];
    await this.put(this.arns.tilledSigning, { current, previous });
    this.signing.tilled = current;

    const apiKey = `sk_test_${hex()}`;
    await this.inTurn(async () => {
      await this.put(this.arns.tilledApi, { apiKey, accounts: ['acct_local'] });
      platform.acceptKeys('tilled', apiKey);
    });
  }

  private async put(arn: string, value: object): Promise<void> {
    await manager.send(new PutSecretValueCommand({ SecretId: arn, SecretString: JSON.stringify(value) }));
  }
}

test('three rotations of every password, API key and signing secret fail no request under load', async () => {
  expect((await ops('access plan billing')).output).toContain('Roles and privileges of billing are as the policy says');
  let key = keyIn(await done('keys create entitlements:read --name academy --all-projects'));
  const arns = await secretsOfDatabases();
  expect(arns).toHaveLength(6);
  const providers = new Providers({
    tilledSigning: await variable('webhook', 'TILLED_SIGNING_SECRET_ARN'),
    tilledApi: await variable('reconciliation', 'TILLED_API_SECRET_ARN'),
  });
  const load = startLoad(platform, () => key, {
    perSecond: WEBHOOKS_PER_SECOND,
    signingSecrets: providers.stripeSecrets,
  });
  const loads = {
    'webhooks of Tilled': repeat(100, () => providers.deliverOfTilled()),
    'reads from providers': repeat(500, () => providers.readFromBoth()),
    measurements: repeat(1_000, () => done('collect')),
    backups: repeat(2_000, () => done('backup billing')),
  };
  const users = new Set<string>();
  const watch = repeat(100, () => lookAtUsers(users));
  try {
    for (let round = 0; round < ROTATIONS; round += 1) {
      for (const arn of arns) await rotate(arn);
      key = keyIn(await done(`keys rotate ${key.slice(4, 16)}`));
      await providers.rollAll();
      await sleep(1_500);
    }
  } finally {
    await Promise.all([load, ...Object.values(loads), watch].map((each) => each.stop()));
  }
  const perSecond = load.sent.length / load.seconds();
  await waitUntil(async () => {
    const { rows } = await platform.billing.query<{ left: number }>(
      `SELECT $1::int - count(*)::int AS left FROM billing.webhook_events WHERE status = 'processed' AND id = ANY ($2)`,
      [load.sent.length, load.sent],
    );
    return rows[0]?.left === 0 ? undefined : `${rows[0]?.left} events are not processed`;
  }, 30_000);
  const figures = Object.fromEntries(Object.entries(loads).map(([name, { seen }]) => [name, seen.requests]));
  process.stdout.write(
    `${(arns.length + 5) * ROTATIONS} rotations in ${load.seconds().toFixed(1)} s beside ${load.sent.length} webhooks ` +
      `(${perSecond.toFixed(0)}/s, 95 % answered within ${load.answeredWithinMs(0.95).toFixed(0)} ms), ` +
      `${load.reads()} API reads, ${JSON.stringify(figures)}\n`,
  );
  expect(load.failures).toEqual([]);
  for (const [name, { seen }] of Object.entries({ ...loads, watch })) {
    expect([name, seen.failures]).toEqual([name, []]);
    expect(seen.requests).toBeGreaterThan(2);
  }
  const logins = Object.values(LOGIN_USERS.billing);
  expect(logins.filter((user) => !users.has(user) && !users.has(`${user}_clone`))).toEqual([]);
  const pairs = logins.flatMap((user) => [user, `${user}_clone`]);
  expect([...users].filter((user) => ![...pairs, 'operations'].includes(user))).toEqual([]);
});
