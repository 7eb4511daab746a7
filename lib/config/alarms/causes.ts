import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { thresholdsOf, type AlarmDefinition } from './alarm-definition';

/** A critical alarm that another cause may raise as well, and that pages only when that cause is not known already. */
interface Follower {
  /** Name of the alarm. */
  readonly name: string;
  /** Names of the alarms that report the cause. Their critical ones count. */
  readonly causes: readonly string[];
  /** Seconds that the cause may be raised later. @default {@link WAIT_SECONDS} */
  readonly waitSeconds?: number;
}

/**
 * Seconds that an alarm waits for its cause before it pages. CloudWatch evaluates once a minute, in no order. Lower pages twice;
 * higher pages later.
 */
export const WAIT_SECONDS = 180;

/** Seconds that an alarm stays silent after its cause is over: what waited in the queue is applied meanwhile. */
export const EXTENSION_SECONDS = 900;

/** The collector cannot measure what it cannot reach, and ages that are unknown count as too old. */
const unknownWith = (database: DatabaseName) => ['collectorMissing', `databaseUnreachable-${database}`];

/**
 * A cause is never what anybody can raise from outside, such as forged or blocked requests: they would silence the pages of a
 * pipeline that stands still. So a firewall that blocks genuine deliveries pages twice. Only throttled deliveries are silent
 * beside blocked ones, which they contain.
 */
const FOLLOWERS: readonly Follower[] = [
  ...DATABASE_NAMES.flatMap((database) => [
    { name: `backupMissing-${database}`, causes: unknownWith(database) },
    { name: `drillMissing-${database}`, causes: unknownWith(database) },
  ]),
  { name: 'reconciliationMissing', causes: unknownWith('billing') },
  // It cannot record what the node says.
  { name: 'confirmationsMissing', causes: ['databaseUnreachable-billing'] },
  // What the firewall blocks, API Gateway counts as refused.
  { name: 'deliveriesThrottled', causes: ['deliveriesBlocked'] },
  // Events that cannot be applied are counted some minutes before the database counts as unreachable.
  { name: 'webhookFailures', causes: ['webhookDelivery', 'databaseUnreachable-billing'], waitSeconds: 600 },
  // Without the database, keyed requests are answered 503.
  { name: 'apiFailed', causes: ['databaseUnreachable-billing'], waitSeconds: 600 },
  // The canary passes through everything.
  { name: 'canaryFailed', causes: ['webhookDelivery', 'databaseUnreachable-billing'] },
  { name: 'eventQueueAge', causes: ['canaryFailed', 'databaseUnreachable-billing'] },
];

/** When the critical alarm of a definition pages. */
export interface PageRule {
  /** Definitions whose critical alarms suppress the page. At least one. */
  readonly causes: readonly AlarmDefinition[];
  /** Seconds that it waits for one of them. */
  readonly waitSeconds: number;
}

/**
 * How one cause raises one page: for each definition whose critical alarm follows from others, which these are.
 *
 * @param definitions the alarms that the environment creates; causes that it lacks suppress nothing
 */
export function pageRules(definitions: readonly AlarmDefinition[]): ReadonlyMap<string, PageRule> {
  const critical = definitions.filter((one) => thresholdsOf(one).some(([severity]) => severity === 'critical'));
  const rules = FOLLOWERS.map(({ name, causes, waitSeconds = WAIT_SECONDS }): [string, PageRule] => [
    name,
    { causes: critical.filter((one) => causes.includes(one.name)), waitSeconds },
  ]);
  return new Map(
    rules.filter(([name, { causes }]) => causes.length > 0 && critical.some((definition) => definition.name === name)),
  );
}
