import { DATABASE_NAMES } from '../../../core/contract';
import type { AlarmDefinition } from './alarm-definition';
import type { AlarmWindow } from './alarm-window';

/** Periods within which an alarm that returns is the same one: an hour of those of five minutes. */
const PERIODS = 12;

/**
 * The critical alarms on values that may cross their threshold back and forth. The others cannot, or not within an hour: ages
 * grow until a job succeeds, a job counts once for each run, a parked event stays, certificates and disputes only come nearer,
 * transaction ids fall with a vacuum alone, and the share of deliveries that failed is one of an hour. Nor is one of them an alarm
 * that follows from causes: it would stay raised when they are over, and page then.
 */
const RECURRING: ReadonlySet<string> = new Set([
  'queryLatency',
  'webhookAnswer',
  'responseTime',
  'failedSubscriptions',
  'databaseCpu',
  'databaseMemory',
  'databaseSize',
  'databaseConnections',
  ...DATABASE_NAMES.map((database) => `databaseUnreachable-${database}`),
  'deliveriesBlocked',
  'deliveriesThrottled',
  'collectorMissing',
]);

/**
 * The critical alarms that wait longer for a cause than they may be raised when they come and go: they page by how often they
 * breached within hours. In fewer periods they would page for a single failure that is over before its cause is known. Fifty
 * requests may fail within three minutes, which breach in one period or, across two, in none.
 */
const WAITING: ReadonlyMap<string, Omit<AlarmWindow, 'periodSeconds'>> = new Map([
  ['webhookFailures', { evaluationPeriods: 36, datapointsToAlarm: 3 }],
  ['canaryFailed', { evaluationPeriods: 24, datapointsToAlarm: 4 }],
  ['apiFailed', { evaluationPeriods: 36, datapointsToAlarm: 3 }],
]);

/** Seconds for which a cause explains what breached: the longest of those windows, and what waited for it is applied meanwhile. */
const TRACE_SECONDS = 210 * 60;

/** Seconds after its last breach for which one of those counts as coming and going. Lower than a gap pages for each return. */
const LATELY_SECONDS = 75 * 60;

/**
 * In how many periods the critical alarm of a definition breaches when it comes and goes: one more than raises it, within an hour;
 * `undefined` where it cannot. See {@link WAITING} for one that waits for its cause.
 */
export function recurrenceOf(definition: AlarmDefinition): AlarmWindow | undefined {
  const waiting = WAITING.get(definition.name);
  if (waiting === undefined && !RECURRING.has(definition.name)) return undefined;
  const { periodSeconds, evaluationPeriods, datapointsToAlarm = evaluationPeriods } = definition;
  if (waiting !== undefined) return { periodSeconds, ...waiting };
  return {
    periodSeconds,
    // Where six or nine periods raise it, it takes more than an hour to tell.
    evaluationPeriods: Math.max(PERIODS, 2 * evaluationPeriods),
    datapointsToAlarm: datapointsToAlarm + 1,
  };
}

/** How an alarm is seen to have breached lately: what came and went, and is over, is no reason to page. */
export function latelyOf({ periodSeconds }: AlarmDefinition): AlarmWindow {
  return { periodSeconds, evaluationPeriods: Math.ceil(LATELY_SECONDS / periodSeconds), datapointsToAlarm: 1 };
}

/** How a cause is seen to have been raised within the time in which what follows from it came and went. */
export function traceOf(definition: AlarmDefinition): AlarmWindow {
  const { periodSeconds, evaluationPeriods, datapointsToAlarm = evaluationPeriods } = definition;
  return { periodSeconds, evaluationPeriods: Math.ceil(TRACE_SECONDS / periodSeconds), datapointsToAlarm };
}
