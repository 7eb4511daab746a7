/** `npm run bench:reconcile`: time and memory of comparing all subscriptions with Stripe. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type {
  ReconciliationEnvironment,
  ReconciliationReport,
  ReconciliationRequest,
} from '../lambdas/reconciliation/contract';
import { applyEvents, type ReceivedEvent } from '../core/billing/apply-events';
import { stripeProvider } from '../core/providers/stripe/provider';
import { readEvent, type StripeEvent } from '../core/providers/stripe/shapes';
import { nowSeconds } from '../local/stripe/objects';
import { startStripeStandIn, type StripeStandIn } from '../local/stripe/stand-in';
import { startSecretsManager } from '../local/aws/secrets-manager';
import type { Teardown } from '../local/runtime/teardown';
import { bundlesIn } from './support/bundle';
import { baseEnvironment, databaseEnvironment } from './support/function-environment';
import { startFunction } from './support/function-process';
import { runBenchmark } from './support/run-benchmark';
import { migrate, startBenchServer, type BenchDatabase } from './support/server';
import { formatTable, progress, verdict, whole } from './support/table';

const { values: options } = parseArgs({
  options: {
    subscriptions: { type: 'string', default: '100000' },
    /** Checks that the benchmark works; its figures mean nothing. */
    quick: { type: 'boolean', default: false },
  },
});
const quick = options.quick;
const subscriptions = quick ? 2_000 : Number(options.subscriptions);
if (!Number.isInteger(subscriptions) || subscriptions < 1_000) {
  throw new Error('--subscriptions: expected a number from 1000');
}

const CORRECT: ReconciliationRequest = { dryRun: false };
const API_SECRET_ARN = 'arn:aws:secretsmanager:eu-central-1:000000000000:secret:stripe-api-bench0';
const DAYS_BACK = 7;
/** Before the window of the events, so that only subscriptions are compared. */
const CREATED_DAYS_AGO = 60;
const DAY_SECONDS = 86_400;
/** One subscription in so many is missing from the database, and has to be found and stored. */
const MISSING_ONE_IN = 1_000;
const SEED_BATCH = 500;
/** V8's limit, far above the target for the whole process, so that the limit does not enforce the target. */
const HEAP_MIB = 460;
const MEMORY_TARGET_BYTES = 256 * 1024 * 1024;
/** At 100,000 subscriptions and 25 calls/s; other numbers in proportion. */
const TARGET = { subscriptions: 100_000, calls: 1_020, seconds: 45 };
const MIB = 1024 * 1024;

async function main(teardown: Teardown): Promise<void> {
  const server = await startBenchServer(teardown);
  const bundle = bundlesIn(join(server.directory, 'functions'));
  const database = await server.createDatabase('reconcile');
  await migrate(database, 'billing');
  const stripe = await startStripeStandIn();
  teardown.add(() => stripe.stop());
  const missing = await seed(stripe, database);
  const secrets = await startSecretsManager();
  teardown.add(() => secrets.stop());
  secrets.put(API_SECRET_ARN, { apiKey: 'rk_test_benchmark' });

  const environment = {
    ...baseEnvironment(secrets),
    ...databaseEnvironment(server, secrets, database.name),
    STRIPE_API_SECRET_ARN: API_SECRET_ARN,
    STRIPE_API_BASE: stripe.url,
    LIVEMODE: 'false',
    CACHE_URL: '',
    DAYS_BACK: String(DAYS_BACK),
    SAMPLED_ENTITLEMENTS: '50',
  } satisfies ReconciliationEnvironment & Record<string, string>;
  const reconciliation = await startFunction(bundle('reconciliation').folder, environment, {
    heapMib: HEAP_MIB,
    logFile: join(server.directory, 'reconciliation.log'),
  });
  teardown.add(() => reconciliation.stop());

  progress('reconciling a database with drift');
  const drifted = await timedRun(() => reconciliation.invoke(CORRECT), stripe);
  progress('reconciling a database without drift');
  const clean = await timedRun(() => reconciliation.invoke(CORRECT), stripe);
  const peakBytes = reconciliation.peakMemoryBytes();
  if (drifted.summary.drift_detected !== missing || drifted.summary.corrected !== missing) {
    throw new Error(`Expected ${missing} subscriptions to be found and corrected: ${JSON.stringify(drifted.summary)}`);
  }
  if (clean.summary.drift_detected !== 0)
    throw new Error(`Drift after the correction: ${JSON.stringify(clean.summary)}`);
  console.log(report(drifted, clean, peakBytes));
}

/** Creates the subscriptions at Stripe and applies most of their events; returns the number of events left out. */
async function seed(stripe: StripeStandIn, database: BenchDatabase): Promise<number> {
  progress(`creating ${whole(subscriptions)} subscriptions`);
  const created = nowSeconds() - CREATED_DAYS_AGO * DAY_SECONDS;
  const client = await database.connect();
  let missing = 0;
  try {
    let batch: ReceivedEvent<StripeEvent>[] = [];
    for (let index = 0; index < subscriptions; index += 1) {
      const { event } = stripe.state.createSubscription({ created: created + (index % DAY_SECONDS) });
      if (index % MISSING_ONE_IN === 0) {
        missing += 1;
        continue;
      }
      batch.push({ event: readEvent(event), source: 'webhook', receivedAt: new Date() });
      if (batch.length < SEED_BATCH) continue;
      await applyEvents(client, stripeProvider, batch);
      batch = [];
    }
    await applyEvents(client, stripeProvider, batch);
    await client.query('VACUUM (ANALYZE)');
  } finally {
    await client.end();
  }
  return missing;
}

interface Run {
  readonly summary: ReconciliationReport;
  readonly seconds: number;
  readonly calls: number;
}

async function timedRun(invoke: () => Promise<unknown>, stripe: StripeStandIn): Promise<Run> {
  const callsBefore = stripe.requests.length;
  const started = performance.now();
  const summary = (await invoke()) as ReconciliationReport;
  const seconds = (performance.now() - started) / 1000;
  if (summary.subscriptions_checked !== subscriptions) {
    throw new Error(`Only ${summary.subscriptions_checked} of ${subscriptions} subscriptions were compared`);
  }
  return { summary, seconds, calls: stripe.requests.length - callsBefore };
}

function report(drifted: Run, clean: Run, peakBytes: number): string {
  const row = (name: string, { summary, seconds, calls }: Run): string[] => [
    name,
    whole(summary.subscriptions_checked),
    whole(summary.corrected),
    whole(calls),
    seconds.toFixed(1),
    (calls / seconds).toFixed(1),
  ];
  const share = subscriptions / TARGET.subscriptions;
  const maxCalls = Math.ceil(TARGET.calls * share) + (share < 1 ? 10 : 0);
  const maxSeconds = TARGET.seconds * share + (share < 1 ? 1 : 0);
  const slowest = Math.max(drifted.seconds, clean.seconds);
  const calls = Math.max(drifted.calls, clean.calls);
  return [
    formatTable(
      ['run', 'subscriptions', 'corrected', 'list calls', 'seconds', 'calls/s'],
      [row('drifted', drifted), row('in line with Stripe', clean)],
    ),
    '',
    verdict(`at most ${whole(maxCalls)} list calls`, whole(calls), calls <= maxCalls),
    verdict(`within ${maxSeconds.toFixed(1)} s at 25 calls/s`, `${slowest.toFixed(1)} s`, slowest <= maxSeconds),
    verdict(
      'peak memory under 256 MiB',
      `${whole(peakBytes / MIB)} MiB`,
      peakBytes > 0 && peakBytes < MEMORY_TARGET_BYTES,
    ),
    ...(quick ? ['', 'A --quick run checks that the benchmark works; it measures nothing.'] : []),
  ].join('\n');
}

void runBenchmark(main);
