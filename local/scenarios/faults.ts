import { setTimeout as sleep } from 'node:timers/promises';
import { check, waitUntil } from '../pass/check';
import type { Step } from '../pass/steps';
import { eventObject } from '../stripe/objects';
import { killServer, whileAway } from './database-faults';
import { countSettled, newSubscriptions, sendAll, SETTLED_WITHIN_MS, untilSettled } from './load';
import { queuesOf, removeParked, unfinished, withQuickRetries } from './queue';
import type { ScenarioContext } from './scenario';

const OUTAGE_EVENTS = 200;
const OUTAGE_SECONDS = 12;
const KILL_EVENTS = 400;
const KILLS = 2;
const FLOOD_EVENTS = 1_000;
const GOOD_EVENTS = 20;
/** Seconds after which an unfinished message comes again; in the template these are minutes. */
const RETRY_SECONDS = 2;

/** The billing database is away while webhooks arrive. */
export const outage: Step<ScenarioContext> = {
  title: 'Take the billing database away under webhooks',
  async run({ platform, stripe }, tell) {
    const queues = queuesOf(platform);
    const parkedBefore = await unfinished(platform.sqs, queues.parked.url);
    const events = newSubscriptions(stripe, OUTAGE_EVENTS, 'outage');
    await withQuickRetries(platform, RETRY_SECONDS, async () => {
      await whileAway(platform.databases.billing, async () => {
        const rate = await sendAll(events, platform);
        tell(`database away: ${events.length} events, each answered 200, ${rate.toFixed(0)} a second`);
        await sleep(OUTAGE_SECONDS * 1000);
        const waiting = await unfinished(platform.sqs, queues.events.url);
        check(waiting >= events.length, `${waiting} of ${events.length} events wait in the queue`);
        tell(`${OUTAGE_SECONDS} s later: all ${waiting} wait in the queue, received again every ${RETRY_SECONDS} s`);
      });
      const back = performance.now();
      await untilSettled(platform, events);
      tell(
        `database back: all processed ${((performance.now() - back) / 1000).toFixed(1)} s later, each in one attempt`,
      );
    });
    const parked = (await unfinished(platform.sqs, queues.parked.url)) - parkedBefore;
    check(parked === 0, `${parked} events were parked`);
    tell('none is parked, none lost');
  },
};

/** PostgreSQL is killed while it commits what webhooks bring. */
export const kill: Step<ScenarioContext> = {
  title: 'Kill PostgreSQL (kill -9) under webhooks',
  async run({ platform, stripe }, tell) {
    const { cluster } = platform.databases.billing;
    const events = newSubscriptions(stripe, KILL_EVENTS, 'kill');
    await withQuickRetries(platform, RETRY_SECONDS, async () => {
      const sending = sendAll(events, platform);
      sending.catch(() => undefined);
      for (let count = 1; count <= KILLS; count += 1) {
        const stored = await storedAtLeast(platform, events, (count * KILL_EVENTS) / (KILLS + 2));
        const { pid } = cluster;
        await killServer(cluster);
        tell(`process ${pid} killed with ${stored} of ${events.length} events processed; restarted on its files`);
      }
      const rate = await sending;
      tell(`meanwhile ${events.length} events were answered 200, ${rate.toFixed(0)} a second`);
      await untilSettled(platform, events);
    });
    tell('every acknowledged event is processed, once, in one attempt');
  },
};

async function storedAtLeast(
  { databases }: Pick<ScenarioContext['platform'], 'databases'>,
  events: Parameters<typeof countSettled>[1],
  wanted: number,
): Promise<number> {
  const client = await databases.billing.connect();
  let stored = 0;
  try {
    await waitUntil(async () => {
      stored = (await countSettled(client, events)).processed;
      return stored >= wanted ? undefined : `${stored} events are processed, of ${wanted}`;
    }, SETTLED_WITHIN_MS);
    return stored;
  } finally {
    await client.end();
  }
}

/** Many events at once, some of them twice. */
export const flood: Step<ScenarioContext> = {
  title: 'Send a flood of events, each tenth twice',
  async run({ platform, stripe }, tell) {
    const events = newSubscriptions(stripe, FLOOD_EVENTS, 'flood');
    const requests = [...events, ...events.filter((_, index) => index % 10 === 0)];
    const rate = await sendAll(requests, platform);
    tell(`${requests.length} requests, each answered 200: ${rate.toFixed(0)} a second`);
    const sent = performance.now();
    await untilSettled(platform, events);
    tell(
      `all ${events.length} events processed once, ${((performance.now() - sent) / 1000).toFixed(1)} s after the last`,
    );
  },
};

/** An event that cannot be applied, among others that can. */
export const poison: Step<ScenarioContext> = {
  title: 'Send an event that cannot be applied, among good ones',
  async run({ platform, stripe, billing }, tell) {
    const bad = eventObject('customer.subscription.created', {
      id: `sub_poison_${Date.now()}`,
      object: 'subscription',
    });
    const good = newSubscriptions(stripe, GOOD_EVENTS, 'beside-poison');
    const half = GOOD_EVENTS / 2;
    await withQuickRetries(platform, 1, async () => {
      await sendAll([...good.slice(0, half), bad, ...good.slice(half)], platform);
      await untilSettled(platform, good);
      tell(`${good.length} good events processed, each in one attempt`);
      await waitUntil(
        async () => ((await removeParked(platform, bad.id)) ? undefined : `${bad.id} is not parked`),
        SETTLED_WITHIN_MS,
      );
    });
    const { rows } = await billing.query<{ status: string; attempts: number; error: string | null }>(
      'SELECT status, attempts, error FROM billing.webhook_events WHERE id = $1',
      [bad.id],
    );
    const [{ status, attempts, error } = { status: 'not there', attempts: 0, error: null }] = rows;
    check(status === 'failed' && error !== null, `the row of ${bad.id} is ${status}, with the error ${error}`);
    tell(`${bad.id} is parked after ${attempts} attempts, and its row says why: ${error}`);
    const by = 'npm start -- --scenario poison';
    const request = { action: 'dismiss', events: [bad.id], reason: 'the scenario made it', by, dryRun: false };
    await platform.invoke('replay', request);
    tell('dismissed, as ops webhooks dismiss does, and the parked message removed');
  },
};
