import type { AlarmDefinition, Severity } from './alarm-definition';

/** The alarms on the alerts themselves: one that reaches nobody is as good as none. */
export function alertingAlarms(): AlarmDefinition[] {
  return [alertsUndelivered('warning', 'critical'), alertsUndelivered('critical', 'warning')];
}

/**
 * @param of topic that cannot deliver
 * @param by topic that says so: an alert about a topic through itself would fail as well
 */
function alertsUndelivered(of: Severity, by: Severity): AlarmDefinition {
  return {
    name: of === 'warning' ? 'warningsUndelivered' : 'criticalAlertsUndelivered',
    measure: 'Failed notifications',
    unit: 'count',
    // An HTTPS endpoint counts each attempt, of which SNS makes four; e-mail and the others count once, at the end.
    thresholds: { [by]: 0 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: { from: 'topic', topic: of, name: 'NumberOfNotificationsFailed' },
    periodSeconds: 300,
    evaluationPeriods: 1,
    // SNS publishes nothing while nothing fails.
    treatMissingData: 'notBreaching',
    symptom: `An alert of the ${of} topic was not delivered to one of its subscribers, who may not know of it`,
    action: 'Read what is in alarm, and act on it; then repair or replace the subscription that fails.',
    runbookAnchor: 'alerts-undelivered',
    consolePage: 'topics',
  };
}
