/** How urgent an alarm is. Each severity pages its own topic. */
export const SEVERITIES = ['warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** One watched value with its pair of alarms. */
export interface Threshold {
  /** What the value is, as on-call reads it. */
  readonly title: string;
  readonly unit: '%' | 'ms';
  /** Alarm when the value is greater than this. */
  readonly warning: number;
  readonly critical: number;
  /** What to do first. Part of the alarm's text. */
  readonly action: string;
  /** Heading in `docs/runbook.md`. */
  readonly runbookAnchor: string;
  /**
   * Observations in a period below which the value counts as 0. Lower pages for one failure in three requests at night;
   * higher is blind when traffic is low. `null` for gauges, which are observed once per collection.
   */
  readonly minimumVolume: number | null;
  /** Seconds that one value summarises. */
  readonly periodSeconds: number;
  /** Periods that are looked at. */
  readonly evaluationPeriods: number;
  /** Of those, how many must be over the threshold. Fewer than all tolerates a gap; one would page for a single spike. */
  readonly datapointsToAlarm: number;
}

/** The alert thresholds of the operations guide (G0), and when each counts. */
export const THRESHOLDS = {
  webhookFailures: {
    title: 'Webhook failures',
    unit: '%',
    warning: 5,
    critical: 10,
    action: "Check the payment provider's status and the signature secrets.",
    runbookAnchor: 'webhook-failures',
    minimumVolume: 20,
    periodSeconds: 300,
    evaluationPeriods: 3,
    datapointsToAlarm: 2,
  },
  queryLatency: {
    title: 'Query latency (p95)',
    unit: 'ms',
    warning: 500,
    critical: 1000,
    action: 'Check indexes and the connection pool.',
    runbookAnchor: 'query-latency',
    minimumVolume: 20,
    periodSeconds: 300,
    evaluationPeriods: 3,
    datapointsToAlarm: 2,
  },
  databaseSize: {
    title: 'Database size (share of the disk)',
    unit: '%',
    warning: 80,
    critical: 90,
    action: 'Scale storage.',
    runbookAnchor: 'database-size',
    minimumVolume: null,
    periodSeconds: 300,
    evaluationPeriods: 3,
    datapointsToAlarm: 2,
  },
  failedSubscriptions: {
    title: 'Failed subscriptions',
    unit: '%',
    warning: 2,
    critical: 5,
    action: 'Check payment methods and dunning.',
    runbookAnchor: 'failed-subscriptions',
    minimumVolume: null,
    periodSeconds: 300,
    evaluationPeriods: 12,
    datapointsToAlarm: 9,
  },
} as const satisfies Record<string, Threshold>;

export type ThresholdName = keyof typeof THRESHOLDS;
