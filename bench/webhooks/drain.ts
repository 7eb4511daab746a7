import type { BenchDatabase, BenchServer } from '../support/server';
import { multiplyRows, readTemplates } from '../support/multiply-rows';
import { progress } from '../support/table';
import type { Apply, Contender } from './contender';
import { explainHotStatements, rowsReadBySequentialScans, type PlannedStatement } from './plans';
import { deliveries, EVENTS_PER_SUBSCRIPTION, templateDeliveries, type Delivery } from './workload';

export interface DrainOptions {
  /** Events of each timed run. */
  readonly events: number;
  /** Subscriptions in the full database. */
  readonly subscriptions: number;
  /** A run is ended after this, and its rate taken from what was done: some peers take minutes. */
  readonly maxSeconds: number;
}

/** Workers at once. */
export const CONCURRENCIES = [1, 10] as const;
export type Concurrency = (typeof CONCURRENCIES)[number];

export interface Run {
  readonly eventsPerSecond: number;
  readonly statementsPerEvent: number;
  /** Processor time of PostgreSQL, and of this process; other work on the machine hardly changes them. */
  readonly cpuMsPerEvent: { readonly server: number; readonly client: number };
}

export interface DrainResult {
  readonly name: string;
  readonly empty: Readonly<Record<Concurrency, Run>>;
  readonly full: Readonly<Record<Concurrency, Run>>;
  /** Rows that sequential scans of large tables read, per event, in the runs on the full database. */
  readonly scannedRowsPerEvent: number;
  /** Plans of what one more batch sent to the full database. */
  readonly plans: readonly PlannedStatement[];
}

/**
 * Applied before the clock starts, so that no run is measured while the engine still compiles and PostgreSQL still plans,
 * which it does five times for every statement of every connection; for three seconds at most.
 */
const WARM_UP_SUBSCRIPTIONS = 5_000;
const WARM_UP_MAX_MS = 3_000;
/** Spreads a run over the full database; a prime, so that no subscription comes twice. */
const STRIDE = 7919;

/** Measures one contender on an empty and on a full database. */
export async function measureDrain(
  server: BenchServer,
  contender: Contender,
  options: DrainOptions,
): Promise<DrainResult> {
  const count = Math.ceil(options.events / EVENTS_PER_SUBSCRIPTION);
  progress(`${contender.name}: preparing`);
  const empty = {} as Record<Concurrency, Run>;
  for (const concurrency of CONCURRENCIES) {
    const database = await server.createDatabase('drain_empty');
    try {
      await contender.prepare(database);
      const fresh = Array.from({ length: count }, (_, index) => index + 1);
      const warmUp = Array.from({ length: WARM_UP_SUBSCRIPTIONS }, (_, index) => count + index + 1);
      let applied = 0;
      empty[concurrency] = await timedRun(server, contender, database, concurrency, options, {
        warmUp: () => deliveries(warmUp, false, 0),
        timed: () => deliveries(fresh, false, 0),
        onApplied: (events) => (applied += events),
      });
      await assertEffect(contender, database, count + WARM_UP_SUBSCRIPTIONS, applied);
    } finally {
      await database.drop();
    }
  }

  const database = await server.createDatabase('drain_full');
  try {
    await contender.prepare(database);
    await fill(contender, database, options.subscriptions);
    const spread = Array.from({ length: count }, (_, index) => 1 + ((index * STRIDE) % options.subscriptions));
    const chosen = [...new Set(spread)];
    const scannedBefore = await rowsReadBySequentialScans(database);
    const full = {} as Record<Concurrency, Run>;
    let applied = 0;
    for (const [index, concurrency] of CONCURRENCIES.entries()) {
      full[concurrency] = await timedRun(server, contender, database, concurrency, options, {
        warmUp: () => deliveries(chosen.slice(0, WARM_UP_SUBSCRIPTIONS), true, 2 * index),
        timed: () => deliveries(chosen, true, 2 * index + 1),
        onApplied: (events) => (applied += events),
      });
    }
    const scannedRowsPerEvent = ((await rowsReadBySequentialScans(database)) - scannedBefore) / applied;
    const some = chosen.slice(0, Math.ceil(contender.batchSize / EVENTS_PER_SUBSCRIPTION));
    const plans = await explainHotStatements(contender, database, deliveries(some, true, 2 * CONCURRENCIES.length));
    return { name: contender.name, empty, full, scannedRowsPerEvent, plans };
  } finally {
    await database.drop();
  }
}

/** Lets the contender write one subscription, and copies that. */
async function fill(contender: Contender, database: BenchDatabase, subscriptions: number): Promise<void> {
  const { workers, close } = await contender.open(database, 1);
  try {
    await workers[0]?.(templateDeliveries());
  } finally {
    await close();
  }
  const client = await database.connect();
  try {
    await multiplyRows(client, await readTemplates(client), 1, subscriptions);
    await client.query('VACUUM (ANALYZE)');
  } finally {
    await client.end();
  }
}

interface Load {
  readonly warmUp: () => Delivery[];
  readonly timed: () => Delivery[];
  readonly onApplied?: (events: number) => void;
}

async function timedRun(
  server: BenchServer,
  contender: Contender,
  database: BenchDatabase,
  concurrency: Concurrency,
  { maxSeconds }: DrainOptions,
  { warmUp, timed, onApplied = () => undefined }: Load,
): Promise<Run> {
  const { workers, close } = await contender.open(database, concurrency);
  try {
    onApplied(await drain(workers, warmUp(), contender.batchSize, performance.now() + WARM_UP_MAX_MS));
    await checkpoint(database);
    const work = timed();
    contender.queries.count = 0;
    const before = { server: server.cpuSeconds(), client: process.cpuUsage() };
    const started = performance.now();
    const events = await drain(workers, work, contender.batchSize, started + maxSeconds * 1000);
    const seconds = (performance.now() - started) / 1000;
    const used = process.cpuUsage(before.client);
    onApplied(events);
    const run = {
      eventsPerSecond: events / seconds,
      statementsPerEvent: contender.queries.count / events,
      cpuMsPerEvent: {
        server: ((server.cpuSeconds() - before.server) * 1000) / events,
        client: (used.user + used.system) / 1000 / events,
      },
    };
    progress(
      `${contender.name}: ${events} events at ${concurrency} at once in ${seconds.toFixed(1)} s, ` +
        `${run.eventsPerSecond.toFixed(0)}/s, ${run.statementsPerEvent.toFixed(2)} statements each, ` +
        `CPU ${run.cpuMsPerEvent.server.toFixed(3)} + ${run.cpuMsPerEvent.client.toFixed(3)} ms each`,
    );
    return run;
  } finally {
    await close();
  }
}

/** Each worker takes the next batch until none is left, or the time is up; returns the number of events applied. */
async function drain(
  workers: readonly Apply[],
  work: readonly Delivery[],
  batchSize: number,
  deadline: number,
): Promise<number> {
  let next = 0;
  let applied = 0;
  await Promise.all(
    workers.map(async (apply) => {
      while (next < work.length && performance.now() < deadline) {
        const batch = work.slice(next, next + batchSize);
        next += batch.length;
        await apply(batch);
        applied += batch.length;
      }
    }),
  );
  return applied;
}

/** Keeps the write-back of earlier work out of the measurement. */
async function checkpoint(database: BenchDatabase): Promise<void> {
  const client = await database.connect();
  await client.query('CHECKPOINT');
  await client.end();
}

/**
 * A contender that is fast because it does nothing is not measured. After a run that the time limit cut, which
 * subscriptions it got to is not known, so that only some rows can be asked for.
 *
 * @throws Error when rows are missing
 */
async function assertEffect(
  { name, evidence }: Contender,
  database: BenchDatabase,
  subscriptions: number,
  applied: number,
): Promise<void> {
  const client = await database.connect();
  try {
    const { rows } = await client.query<{ rows: number }>(evidence.sql);
    const found = rows[0]?.rows ?? 0;
    const cut = applied < subscriptions * EVENTS_PER_SUBSCRIPTION;
    const whenWhole = evidence.per === 'event' ? applied : subscriptions;
    const expected = cut && evidence.per === 'subscription' ? 1 : whenWhole;
    if (found < expected) throw new Error(`${name} left ${found} rows of ${expected}, after ${applied} events`);
  } finally {
    await client.end();
  }
}
