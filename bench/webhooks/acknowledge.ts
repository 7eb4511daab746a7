import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { WEBHOOK_ENDPOINTS } from '../../core/providers/contract';
import type { WebhookEnvironment } from '../../lambdas/webhook/contract';
import { bundleFunctions } from '../../lib/operations/bundles';
import { startSecretsManager } from '../../local/aws/secrets-manager';
import type { Teardown } from '../../local/runtime/teardown';
import { progress } from '../support/table';
import { deliveries, EVENTS_PER_SUBSCRIPTION, SIGNING_SECRET, type Delivery } from './workload';

/** The serving target, in requests per second. */
const RATE_PER_SECOND = 1_000;
const WARM_UP_REQUESTS = 2_000;
/** Requests under way at once when the most is looked for. */
const CONNECTIONS = 32;
/** Connections of the sender; when the function falls behind, requests wait for one, and their clocks run. */
const MAX_SOCKETS = 256;
const SECRET_ARN = 'arn:aws:secretsmanager:eu-central-1:000000000000:secret:signing-bench0';

export interface Acknowledgement {
  readonly ratePerSecond: number;
  /** Requests at that rate that were not answered 200. */
  readonly refused: number;
  /** Of the others, from the moment at which a request was due, so that a stall counts for every request that waited. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly cpuMsPerRequest: number;
  /** Requests a second when each connection sends the next as soon as the last is answered. */
  readonly maxRatePerSecond: number;
  /** Whether the function's process was pinned to one core. */
  readonly pinned: boolean;
}

/** Sends signed events to the bundled webhook function at the target rate, then as fast as it answers. */
export async function measureAcknowledgement(teardown: Teardown, seconds: number): Promise<Acknowledgement> {
  const directory = mkdtempSync(join(tmpdir(), 'billing-operations-bench-'));
  teardown.add(() => rmSync(directory, { recursive: true, force: true }));
  const bundle = bundleFunctions({ outdir: directory }).find(({ name }) => name === 'webhook');
  if (bundle === undefined) throw new Error('There is no webhook function');
  const secrets = await startSecretsManager();
  teardown.add(() => secrets.stop());
  secrets.put(SECRET_ARN, { current: SIGNING_SECRET });

  const queue = await start(teardown, 'queue-server.mts', [], { PATH: process.env.PATH }, directory);
  const queueUrl = `http://127.0.0.1:${queue.port}`;
  const environment: WebhookEnvironment = {
    ENVIRONMENT_NAME: 'bench',
    LOG_LEVEL: 'INFO',
    QUEUE_URL: `${queueUrl}/000000000000/events`,
    STRIPE_SIGNING_SECRET_ARN: SECRET_ARN,
    LIVEMODE: 'false',
  };
  const { child, port } = await start(
    teardown,
    'webhook-server.mts',
    [bundle.folder],
    {
      PATH: process.env.PATH,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'bench',
      AWS_SECRET_ACCESS_KEY: 'bench',
      AWS_ENDPOINT_URL_SQS: queueUrl,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
      ...environment,
    },
    directory,
  );
  const pinned = pinToOneCore(child.pid ?? 0);
  const count = RATE_PER_SECOND * seconds;
  const subscriptions = Array.from({ length: Math.ceil(count / EVENTS_PER_SUBSCRIPTION) }, (_, index) => index);
  const load = deliveries(subscriptions, false, 0).slice(0, count);
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  try {
    await closedLoop(agent, port, load.slice(0, WARM_UP_REQUESTS));
    const before = await cpuSeconds(child);
    const answers = await openLoop(agent, port, load);
    const latencies = answers.filter((latency) => latency !== undefined).toSorted((a, b) => a - b);
    const cpuMsPerRequest = (((await cpuSeconds(child)) - before) * 1000) / count;
    const percentile = (share: number): number => latencies[Math.ceil(share * latencies.length) - 1] ?? Number.NaN;
    const started = performance.now();
    await closedLoop(agent, port, load);
    const maxRatePerSecond = (count * 1000) / (performance.now() - started);
    progress(`acknowledge: ${count} requests at ${RATE_PER_SECOND}/s, then as fast as they are answered`);
    return {
      ratePerSecond: RATE_PER_SECOND,
      refused: count - latencies.length,
      p50Ms: percentile(0.5),
      p95Ms: percentile(0.95),
      p99Ms: percentile(0.99),
      cpuMsPerRequest,
      maxRatePerSecond,
      pinned,
    };
  } finally {
    agent.destroy();
  }
}

async function start(
  teardown: Teardown,
  script: string,
  args: readonly string[],
  env: Record<string, string | undefined>,
  directory: string,
): Promise<{ child: ChildProcess; port: number }> {
  // The function's log is written, as in Lambda, and not read.
  const log = openSync(join(directory, `${script}.log`), 'a');
  const child = fork(join(__dirname, script), args, { env, execArgv: [], stdio: ['ignore', log, log, 'ipc'] });
  closeSync(log);
  teardown.add(() => void child.kill('SIGKILL'));
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(message as number));
    child.once('exit', (code) => reject(new Error(`${script} ended with status ${code}; see ${directory}`)));
  });
  child.removeAllListeners('exit');
  return { child, port };
}

/** Holds every thread of a process on the last core; `false` where that cannot be done. */
function pinToOneCore(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  const core = String(availableParallelism() - 1);
  return spawnSync('taskset', ['-a', '-c', '-p', core, String(pid)], { stdio: 'ignore' }).status === 0;
}

async function cpuSeconds(child: ChildProcess): Promise<number> {
  const answered = once(child, 'message') as Promise<[NodeJS.CpuUsage]>;
  child.send('cpu');
  const [{ user, system }] = await answered;
  return (user + system) / 1_000_000;
}

/**
 * Sends each request when it is due, whether or not the ones before were answered.
 *
 * @returns milliseconds from due to acknowledged; `undefined` where it was not
 */
async function openLoop(agent: Agent, port: number, load: readonly Delivery[]): Promise<(number | undefined)[]> {
  const started = performance.now();
  const dueAt = (index: number): number => started + (index * 1000) / RATE_PER_SECOND;
  const answered: Promise<number | undefined>[] = [];
  while (answered.length < load.length) {
    while (answered.length < load.length && dueAt(answered.length) <= performance.now()) {
      const due = dueAt(answered.length);
      const delivery = load[answered.length];
      if (delivery === undefined) break;
      answered.push(
        post(agent, port, delivery).then(
          () => performance.now() - due,
          () => undefined,
        ),
      );
    }
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 1);
    });
  }
  return Promise.all(answered);
}

async function closedLoop(agent: Agent, port: number, load: readonly Delivery[]): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (let delivery = load[next++]; delivery !== undefined; delivery = load[next++]) {
        await post(agent, port, delivery);
      }
    }),
  );
}

function post(agent: Agent, port: number, { body, signature }: Delivery): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        agent,
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: WEBHOOK_ENDPOINTS.stripe.path,
        headers: { 'stripe-signature': signature, 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        response.resume();
        response.once('error', reject);
        response.once('end', () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`The webhook answered ${response.statusCode}`));
        });
      },
    );
    sent.once('error', reject);
    sent.end(body);
  });
}
