import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { countQueries } from '../support/count-queries';
import { silentLog, type BenchDatabase } from '../support/server';
import type { Apply, Contender } from './contender';
import { installPeer, STRIPE_ENGINE, SUPABASE_ENGINE, type Peer } from './peers';
import { SIGNING_SECRET, type Delivery } from './workload';

/** What is used of both packages. */
interface Engine {
  processWebhook(payload: string, signature: string): Promise<void>;
}
interface EngineConfig {
  readonly poolConfig: object;
  readonly stripeSecretKey: string;
  readonly stripeWebhookSecret: string;
  readonly backfillRelatedEntities: boolean;
  readonly autoExpandLists: boolean;
}
interface MigrationConfig {
  readonly databaseUrl: string;
  readonly ssl: object;
  readonly schema: string;
  /** Where `@stripe/sync-engine` reads Stripe's API description from; it downloads one otherwise. */
  readonly openApiSpecPath?: string | undefined;
}
interface Pg {
  readonly Client: { readonly prototype: { query: unknown } };
}

const SCHEMA = 'stripe';
const OPEN_API_MODULE = 'github.com/stripe/stripe-mock@v0.203.0';
const DOWNLOAD_TIMEOUT_MS = 60_000;

function engineConfig({ url, ssl }: BenchDatabase, concurrency: number): EngineConfig {
  return {
    poolConfig: { connectionString: url, ssl, max: concurrency },
    stripeSecretKey: 'sk_test_benchmark',
    stripeWebhookSecret: SIGNING_SECRET,
    // Both would ask Stripe's API, for customers that are not there and for lists that are complete.
    backfillRelatedEntities: false,
    autoExpandLists: false,
  };
}

/** One event at a time is what both APIs take. */
function workersOf(engine: Engine, concurrency: number): Apply[] {
  const apply: Apply = async (deliveries: readonly Delivery[]) => {
    for (const { body, signature } of deliveries) await engine.processWebhook(body, signature);
  };
  return Array.from({ length: concurrency }, () => apply);
}

function contender(
  peer: Peer,
  load: NodeJS.Require,
  migration: Pick<MigrationConfig, 'openApiSpecPath'>,
  create: (config: EngineConfig) => Promise<{ engine: Engine; close: () => Promise<void> }>,
): Contender {
  const { runMigrations } = load(peer.name) as { runMigrations: (config: MigrationConfig) => Promise<void> };
  return {
    name: `${peer.name} ${peer.version}`,
    batchSize: 1,
    queries: countQueries((load('pg') as Pg).Client),
    evidence: { sql: `SELECT count(*)::integer AS rows FROM ${SCHEMA}.subscriptions`, per: 'subscription' },
    prepare: ({ url, ssl }) => runMigrations({ databaseUrl: url, ssl, schema: SCHEMA, ...migration }),
    async open(database, concurrency) {
      const { engine, close } = await create(engineConfig(database, concurrency));
      return { workers: workersOf(engine, concurrency), close };
    },
  };
}

/** `@supabase/stripe-sync-engine`, or undefined where it cannot be installed. */
export function supabaseEngine(): Contender | undefined {
  const load = installPeer(SUPABASE_ENGINE);
  if (load === undefined) return undefined;
  const { StripeSync } = load(SUPABASE_ENGINE.name) as {
    StripeSync: new (config: EngineConfig & { schema: string }) => Engine & {
      postgresClient: { pool: { end(): Promise<void> } };
    };
  };
  return contender(SUPABASE_ENGINE, load, {}, async (config) => {
    const engine = new StripeSync({ ...config, schema: SCHEMA });
    return { engine, close: () => engine.postgresClient.pool.end() };
  });
}

/** `@stripe/sync-engine`, or undefined where it cannot be installed. */
export function stripeEngine(): Contender | undefined {
  const load = installPeer(STRIPE_ENGINE);
  if (load === undefined) return undefined;
  const { StripeSync } = load(STRIPE_ENGINE.name) as {
    StripeSync: {
      create(
        config: EngineConfig & { stripeAccountId: string; logger: typeof silentLog },
      ): Promise<{ webhook: Engine; close: () => Promise<void> }>;
    };
  };
  return contender(STRIPE_ENGINE, load, { openApiSpecPath: openApiDescription() }, async (config) => {
    // The account is named, as its engine would look it up at Stripe.
    const sync = await StripeSync.create({ ...config, stripeAccountId: 'acct_benchmark', logger: silentLog });
    return { engine: sync.webhook, close: () => sync.close() };
  });
}

/** Stripe's API description, out of the Go module that carries it; undefined where Go or the module cannot be had. */
function openApiDescription(): string | undefined {
  try {
    const download = execFileSync('go', ['mod', 'download', '-json', OPEN_API_MODULE], {
      cwd: '/',
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: DOWNLOAD_TIMEOUT_MS,
    });
    const { Dir } = JSON.parse(download) as { Dir: string };
    return join(Dir, 'embedded/openapi/spec3.json');
  } catch {
    return undefined;
  }
}
