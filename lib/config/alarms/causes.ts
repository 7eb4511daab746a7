import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { thresholdsOf, type AlarmDefinition } from './alarm-definition';
import { recurrenceOf, type Recurrence } from './recurrence';
import { REGION_TROUBLE } from './region-trouble';

/** Names of alarms that are raised at the same time. Of two severities, the critical one counts. */
export type Together = readonly string[];

/** A critical alarm that another cause may raise as well, and that pages only when that cause is not known already. */
interface Follower {
  /** Name of the alarm. */
  readonly name: string;
  /** What suppresses its page: any of these. */
  readonly causes: readonly Together[];
  /** Seconds that the cause may be raised later. @default {@link WAIT_SECONDS} */
  readonly waitSeconds?: number;
  /**
   * It pages when it comes and goes faster than it waits, unless one of these alarms was raised in the time that is looked at: what
   * breached then, they explain. @default - what comes and goes does not page
   */
  readonly explainedBy?: readonly string[];
}

/**
 * Seconds that an alarm waits for its cause before it pages. CloudWatch evaluates once a minute, in no order. Lower pages twice;
 * higher pages later.
 */
export const WAIT_SECONDS = 180;

/** The same, of an alarm that nothing but trouble of the region and its own return can suppress. */
const SHORT_WAIT_SECONDS = 60;

/** Seconds that an alarm stays silent after its cause is over: what waited in the queue is applied meanwhile. */
export const EXTENSION_SECONDS = 900;

/** The collector cannot measure what it cannot reach, and ages that are unknown count as too old. */
const unknownWith = (database: DatabaseName): Together[] => [['collectorMissing'], [`databaseUnreachable-${database}`]];

/**
 * Deliveries fail, and one did within the last quarter of an hour. The share is that of an hour, which stays above its threshold
 * for long after the failure is over, and would silence another one.
 */
const DELIVERIES_FAIL: Together = ['webhookDelivery', 'webhookErrors'];

const REGION: Together = [REGION_TROUBLE.name];

/**
 * A cause implies its follower, and is never what anybody can raise from outside, such as forged or blocked requests: they would
 * silence the pages of a pipeline that stands still. So a firewall that blocks genuine deliveries pages twice. So does a processor
 * that applies nothing: the canary fails for reasons of its own too, and must not silence the age of the queue.
 */
const FOLLOWERS: readonly Follower[] = [
  ...DATABASE_NAMES.flatMap((database) => [
    { name: `backupMissing-${database}`, causes: unknownWith(database) },
    { name: `drillMissing-${database}`, causes: unknownWith(database) },
    { name: `databaseUnreachable-${database}`, causes: [REGION], waitSeconds: SHORT_WAIT_SECONDS },
  ]),
  { name: 'reconciliationMissing', causes: unknownWith('billing') },
  // It cannot record what the node says.
  { name: 'confirmationsMissing', causes: [['databaseUnreachable-billing']] },
  { name: 'collectorMissing', causes: [REGION], waitSeconds: SHORT_WAIT_SECONDS },
  // Events that cannot be applied are counted some minutes before the database counts as unreachable.
  {
    name: 'webhookFailures',
    causes: [DELIVERIES_FAIL, ['databaseUnreachable-billing']],
    waitSeconds: 600,
    explainedBy: ['webhookDelivery', 'databaseUnreachable-billing'],
  },
  // Without the database, keyed requests are answered 503.
  {
    name: 'apiFailed',
    causes: [['databaseUnreachable-billing']],
    waitSeconds: 600,
    explainedBy: ['databaseUnreachable-billing'],
  },
  // The canary passes through everything.
  {
    name: 'canaryFailed',
    causes: [DELIVERIES_FAIL, ['databaseUnreachable-billing'], REGION],
    explainedBy: ['webhookDelivery', 'databaseUnreachable-billing', 'collectorMissing'],
  },
  { name: 'eventQueueAge', causes: [['databaseUnreachable-billing']] },
];

/** When the critical alarm of a definition pages. */
export interface PageRule {
  /** What suppresses the page, any of these: names of definitions, or of {@link REGION_TROUBLE}, that are all raised. */
  readonly causes: readonly Together[];
  /** Seconds that it waits for one of them. */
  readonly waitSeconds: number;
  /** Seconds that it stays silent once that is over. */
  readonly extensionSeconds: number;
  /** How it is seen to come and go. @default - it does not */
  readonly recurrence?: Recurrence;
  /**
   * That it comes and goes is a reason to page, unless one of these was raised meanwhile.
   * @default - it only keeps the page raised
   */
  readonly explainedBy?: readonly string[];
}

/**
 * How one cause raises one page: for each definition whose critical alarm follows from others, or comes and goes.
 *
 * @param definitions the alarms that the environment creates; causes that it lacks suppress nothing
 */
export function pageRules(definitions: readonly AlarmDefinition[]): ReadonlyMap<string, PageRule> {
  const followers = new Map(FOLLOWERS.map((follower) => [follower.name, follower]));
  const rules = definitions.flatMap((definition): [string, PageRule][] => {
    const { name } = definition;
    const {
      causes = [],
      waitSeconds = causes.length > 0 ? WAIT_SECONDS : SHORT_WAIT_SECONDS,
      explainedBy,
    } = followers.get(name) ?? {};
    const known = existing(causes, definitions);
    const recurrence = recurrenceOf(definition);
    const isCritical = thresholdsOf(definition).some(([severity]) => severity === 'critical');
    if (!isCritical || (known.length === 0 && recurrence === undefined)) return [];
    const extensionSeconds = known.length > 0 ? EXTENSION_SECONDS : SHORT_WAIT_SECONDS;
    const explaining = explainedBy?.filter((one) => definitions.some((other) => other.name === one));
    return [[name, { causes: known, waitSeconds, extensionSeconds, recurrence, explainedBy: explaining }]];
  });
  return new Map(rules);
}

/** What shows trouble of the region in an environment, any of these; none where it lacks the alarms. */
export function regionEvidence(definitions: readonly AlarmDefinition[]): readonly Together[] {
  return withAll(REGION_TROUBLE.evidence, new Set(definitions.map(({ name }) => name)));
}

function existing(causes: readonly Together[], definitions: readonly AlarmDefinition[]): readonly Together[] {
  const region = regionEvidence(definitions).length > 0 ? REGION : [];
  return withAll(causes, new Set([...definitions.map(({ name }) => name), ...region]));
}

function withAll(causes: readonly Together[], names: ReadonlySet<string>): readonly Together[] {
  return causes.filter((together) => together.every((name) => names.has(name)));
}
