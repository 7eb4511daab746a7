/** How urgent an alarm is. Each severity pages its own topic. */
export const SEVERITIES = ['warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** One watched value with its pair of alarms. */
export interface Threshold {
  /** What the value is, as on-call reads it. */
  readonly title: string;
  readonly unit: '%' | 'ms' | 's';
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

/**
 * The alert thresholds of the operations guides, and when each counts. The first four are the pairs of G0, word for word;
 * where another guide names one limit (G2, G4), it is the warning, or what is promised is the critical one.
 */
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
  webhookDelivery: {
    title: 'Webhook deliveries of an hour that failed on our side',
    unit: '%',
    // G2: delivery success above 99 %.
    warning: 1,
    critical: 5,
    action: 'Read the log of the webhook function; see in the Stripe dashboard which deliveries failed.',
    runbookAnchor: 'webhook-delivery',
    minimumVolume: 20,
    periodSeconds: 3600,
    evaluationPeriods: 1,
    datapointsToAlarm: 1,
  },
  webhookAnswer: {
    title: 'Webhook answer (mean)',
    unit: 'ms',
    warning: 2500,
    // G2: a mean answer below 5 s. Stripe gives up on a delivery soon after.
    critical: 5000,
    action: 'Look for what the webhook function waits for: its queue, its secret, or cold starts.',
    runbookAnchor: 'webhook-answer',
    minimumVolume: 20,
    periodSeconds: 300,
    evaluationPeriods: 3,
    datapointsToAlarm: 2,
  },
  responseTime: {
    title: 'API response (p95)',
    unit: 'ms',
    // G4: scale when responses take longer than this.
    warning: 500,
    critical: 1000,
    action: 'Compare the duration of the webhook function with the latency of the API; then look for cold starts.',
    runbookAnchor: 'response-time',
    minimumVolume: 20,
    periodSeconds: 300,
    evaluationPeriods: 3,
    datapointsToAlarm: 2,
  },
  eventQueueAge: {
    title: 'Age of the oldest event in the queue',
    unit: 's',
    // An event that fails is hidden for 180 s and tried three times: a poison event alone stays below.
    warning: 600,
    critical: 1800,
    action:
      'Check that the processor runs and that the billing database answers; Stripe will not send these events again.',
    runbookAnchor: 'event-queue-age',
    minimumVolume: null,
    periodSeconds: 300,
    evaluationPeriods: 2,
    datapointsToAlarm: 2,
  },
  databaseCpu: {
    title: 'Database CPU',
    unit: '%',
    // G4: scale when it is above this consistently.
    warning: 70,
    critical: 90,
    action: 'Find the statements that use it in Database Insights; if they are as they should be, use a larger class.',
    runbookAnchor: 'database-cpu',
    minimumVolume: null,
    periodSeconds: 300,
    evaluationPeriods: 6,
    datapointsToAlarm: 6,
  },
  databaseMemory: {
    title: 'Database memory',
    unit: '%',
    // G4: scale when it is above this consistently.
    warning: 80,
    critical: 90,
    action: 'Look for many or large sessions; if they are as they should be, use a larger class.',
    runbookAnchor: 'database-memory',
    minimumVolume: null,
    periodSeconds: 300,
    evaluationPeriods: 6,
    datapointsToAlarm: 6,
  },
  databaseConnections: {
    title: 'Database connections in use',
    unit: '%',
    // G4: near the maximum. At 100 every function is refused, and so is whoever comes to repair it.
    warning: 80,
    critical: 90,
    action: 'See who holds them and whether the database can be reached at all; end idle sessions.',
    runbookAnchor: 'database-connections',
    minimumVolume: null,
    periodSeconds: 300,
    evaluationPeriods: 3,
    datapointsToAlarm: 3,
  },
} as const satisfies Record<string, Threshold>;

export type ThresholdName = keyof typeof THRESHOLDS;
