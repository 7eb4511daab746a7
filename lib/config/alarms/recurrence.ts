import { DATABASE_NAMES } from '../../../core/contract';
import type { AlarmDefinition } from './alarm-definition';
import type { AlarmWindow } from './alarm-window';

/** Periods in which an alarm is seen to come and go: an hour of those of five minutes. */
const PERIODS = 12;

/** Of those, how many are a reason to page although it was never raised for as long as its page waits. */
const OFTEN = 8;

/**
 * Seconds after its last breach within which an alarm that returns is the same one. Lower pages for each return of what is away for
 * half an hour; higher pages later, or not, for another fault of the same alarm.
 */
const SAME_SECONDS = 50 * 60;

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
  'deliveriesBlocked',
  'deliveriesThrottled',
]);

/**
 * The same, of those that trouble of the region suppresses. They stay silent for a quarter of an hour after what suppresses them,
 * and a single run that failed must not be that: the next fault would page so much later. So it takes one period more than raises them.
 */
const SUPPRESSED: ReadonlySet<string> = new Set([
  ...DATABASE_NAMES.map((database) => `databaseUnreachable-${database}`),
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

/** How an alarm is seen to come and go. */
export interface Recurrence {
  /** It breached often: that keeps its page raised, where it has no {@link lately}. */
  readonly returns: AlarmWindow;
  /** It breached lately. What came and went, and is over, is another fault when it returns. @default - all that counts is how often */
  readonly lately?: AlarmWindow;
}

/**
 * How the critical alarm of a definition is seen to come and go; `undefined` where it cannot. See {@link WAITING} for one that
 * waits for its cause.
 */
export function recurrenceOf(definition: AlarmDefinition): Recurrence | undefined {
  const { name, periodSeconds, evaluationPeriods, datapointsToAlarm = evaluationPeriods } = definition;
  const once = (seconds: number): AlarmWindow => ({
    periodSeconds,
    evaluationPeriods: Math.ceil(seconds / periodSeconds),
    datapointsToAlarm: 1,
  });
  const waiting = WAITING.get(name);
  if (waiting !== undefined) return { returns: { periodSeconds, ...waiting }, lately: once(LATELY_SECONDS) };
  const hour = { periodSeconds, evaluationPeriods: Math.max(PERIODS, evaluationPeriods) };
  if (SUPPRESSED.has(name)) return { returns: { ...hour, datapointsToAlarm: datapointsToAlarm + 1 } };
  if (!RECURRING.has(name)) return undefined;
  const returns = { ...hour, datapointsToAlarm: Math.max(OFTEN, datapointsToAlarm + 1) };
  return { returns, lately: once(SAME_SECONDS) };
}

/** How a cause is seen to have been raised within the time in which what follows from it came and went. */
export function traceOf(definition: AlarmDefinition): AlarmWindow {
  const { periodSeconds, evaluationPeriods, datapointsToAlarm = evaluationPeriods } = definition;
  return { periodSeconds, evaluationPeriods: Math.ceil(TRACE_SECONDS / periodSeconds), datapointsToAlarm };
}
