import type { Emitter, World } from '../cloudwatch/samples';
import {
  BUSY,
  every,
  healthy,
  nothing,
  ofApi,
  ofFunction,
  ofInstance,
  ofLambda,
  ofQueue,
  storedQueue,
  worldOf,
} from './published';

/** What an environment goes through without a fault of its own. */
export interface Story {
  readonly name: string;
  readonly world: World;
  /** Minutes that it is watched for. */
  readonly minutes: number;
  /** Alarms that are raised nonetheless, each with the minute. @default - none */
  readonly raised?: readonly string[];
  /** Minute at which the alarms come into being. @default - they existed before */
  readonly createdAt?: number;
}

const gauge = (name: string, dimensions?: Record<string, string>) => ofFunction('collector', name, dimensions);
const from =
  (minute: number, emit: Emitter): Emitter =>
  (now) =>
    now >= minute ? emit(now) : undefined;
const between =
  (first: number, last: number, emit: Emitter): Emitter =>
  (now) =>
    now >= first && now < last ? emit(now) : undefined;

/** Minutes of the first day, from the creation of the schedules on: alarms, schema, secrets, first backup, first drill. */
const FIRST_DAY = { alarms: 3, schema: 40, secrets: 60, backup: 70, drill: 80, events: 120 } as const;

/** Stories in which no alarm may be raised. */
export const QUIET: readonly Story[] = [
  { name: 'a healthy day', world: worldOf(healthy()), minutes: 120 },
  { name: 'a night without events', world: worldOf(healthy((minute) => (minute < 30 ? BUSY : 0))), minutes: 150 },
  lowVolume(),
  deployment(),
  restoreDrill(),
  firstDay(),
];

/** An event in a quarter of an hour; one of four is refused, as a scanner's is, and one of four is slow. */
function lowVolume(): Story {
  const published = healthy((minute) => (minute % 15 === 0 ? 1 : 0));
  return {
    name: 'a low volume, with single failures',
    world: worldOf(published, {
      [ofFunction('webhook', 'WebhookRejected')]: every(60, 1),
      [ofFunction('processor', 'QueryDuration')]: every(15, 2_000, 2),
      [ofApi('Latency')]: every(15, 4_000),
      [ofApi('Latency', true)]: every(15, 4_000),
      [ofApi('4XXError', true)]: every(60, 1),
    }),
    minutes: 240,
  };
}

/**
 * A tenth of the work goes to a new version, then all of it: its first answers are slow, a run of the collector and one of the
 * canary are lost, and events wait for two minutes.
 */
function deployment(): Story {
  const published = healthy();
  const usual = new Map(published.map(({ key, emit }) => [key, emit]));
  const lost = published.filter(({ by, key }) => by === 'collector' || key.includes('CanarySucceeded'));
  const cold = [30, 45];
  return {
    name: 'a deployment',
    world: worldOf(published, {
      // Four of a hundred answers of a minute: of five minutes, less than the percentile leaves out.
      [ofApi('Latency')]: (minute) => (cold.includes(minute) ? { value: 900, count: 4 } : { value: 40, count: BUSY }),
      [ofQueue('ApproximateAgeOfOldestMessage', storedQueue('events'))]: (minute) => ({
        value: cold.includes(minute) ? 120 : 1,
      }),
      ...Object.fromEntries(
        lost.map(({ key }) => [key, (minute: number) => (minute === 30 ? undefined : usual.get(key)?.(minute))]),
      ),
    }),
    minutes: 100,
  };
}

/** A drill restores the newest archive into another database, which takes CPU and connections of the instance. */
function restoreDrill(): Story {
  return {
    name: 'a restore into a new database',
    world: worldOf(healthy(), {
      [ofInstance('CPUUtilization', 'billing')]: (minute) => ({ value: minute >= 20 && minute < 45 ? 85 : 20 }),
      [gauge('ConnectionsUsedPercent', { database: 'billing' })]: every(5, 45),
      [ofFunction('drill', 'DrillTargetPercent', { database: 'billing' })]: (minute) =>
        minute === 46 ? { value: 60 } : undefined,
    }),
    minutes: 100,
  };
}

/** A new environment: nothing was ever published, and each emitter begins when the operator has come to it. */
function firstDay(): Story {
  const published = healthy();
  const begins = (by: string, key: string, usual: Emitter): Emitter => {
    if (by === 'AWS/RDS' || by === 'AWS/S3') return from(-60, usual);
    if (by === 'canary')
      return key.includes('CanaryUnconfigured')
        ? between(0, FIRST_DAY.secrets, every(5, 1))
        : from(FIRST_DAY.secrets, usual);
    if (by === 'collector') return from(needsSchema(key) ? FIRST_DAY.schema : 0, usual);
    if (by === 'backup') return (minute) => (minute === FIRST_DAY.backup ? usual(0) : undefined);
    return from(FIRST_DAY.events, usual);
  };
  const world = new Map(published.map(({ by, key, emit }) => [key, begins(by, key, emit)]));
  // The operator drills by hand.
  world.set(ofFunction('drill', 'DrillTargetPercent', { database: 'billing' }), (minute) =>
    minute === FIRST_DAY.drill ? { value: 20 } : undefined,
  );
  world.set(gauge('CollectionFailed'), between(0, FIRST_DAY.schema, every(5, 1)));
  // No function failed before there was one.
  world.set(ofLambda('rotate-billing', 'Errors'), nothing);
  return {
    name: 'the first day',
    world,
    minutes: 200,
    createdAt: FIRST_DAY.alarms,
    // A warning that says to apply the migrations, until they are.
    raised: ['collectorIncomplete after 13 min'],
  };
}

/** Gauges that are read from tables, and are published from the first migration on. */
function needsSchema(key: string): boolean {
  return ['CollectionSucceeded', 'FailedSubscriptions', 'RefreshAge', 'DisputeDue', 'EarlyFraud', 'Unowned'].some(
    (name) => key.includes(name),
  );
}

/** For each function that publishes by itself: the alarm that its silence raises, and within how many minutes. */
export const SILENCE: readonly { readonly emitter: string; readonly alarm: string; readonly within: number }[] = [
  { emitter: 'collector', alarm: 'collectorMissing', within: 20 },
  { emitter: 'canary', alarm: 'canaryFailed', within: 20 },
];
