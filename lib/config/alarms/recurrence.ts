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
 * In how many periods the critical alarm of a definition breaches when it comes and goes: one more than raises it, within an hour;
 * `undefined` where it cannot.
 */
export function recurrenceOf(definition: AlarmDefinition): AlarmWindow | undefined {
  if (!RECURRING.has(definition.name)) return undefined;
  const { periodSeconds, evaluationPeriods, datapointsToAlarm = evaluationPeriods } = definition;
  return {
    periodSeconds,
    // Where six or nine periods raise it, it takes more than an hour to tell.
    evaluationPeriods: Math.max(PERIODS, 2 * evaluationPeriods),
    datapointsToAlarm: datapointsToAlarm + 1,
  };
}
