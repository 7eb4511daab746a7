import type { EnvironmentConfig } from '../environment-schema';
import type { AlarmDefinition, Severity } from './alarm-definition';
import { OWNERS, type Owner } from './owners';

/** The alarms on the alerts themselves: one that reaches nobody is as good as none. */
export function alertingAlarms({ alarmOwners }: EnvironmentConfig): AlarmDefinition[] {
  const routed = OWNERS.filter((owner) => alarmOwners[owner] !== undefined);
  return [
    ...[undefined, ...routed].flatMap((owner) => [
      alertsUndelivered('warning', 'critical', owner),
      alertsUndelivered('critical', 'warning', owner),
    ]),
    eventsUndelivered(),
  ];
}

/**
 * @param of topic that cannot deliver
 * @param by topic that says so: an alert about a topic through itself would fail as well
 * @param owner group whose topics they are; `undefined` for those that groups share
 */
function alertsUndelivered(of: Severity, by: Severity, owner: Owner | undefined): AlarmDefinition {
  return {
    name: `${of === 'warning' ? 'warningsUndelivered' : 'criticalAlertsUndelivered'}${owner === undefined ? '' : `-${owner}`}`,
    measure: 'Failed notifications',
    unit: 'count',
    // An HTTPS endpoint counts each attempt, of which SNS makes four; e-mail and the others count once, at the end.
    thresholds: { [by]: 0 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: { from: 'topic', topic: of, owner, name: 'NumberOfNotificationsFailed' },
    periodSeconds: 300,
    // Each alert that fails would say so again.
    evaluationPeriods: 12,
    datapointsToAlarm: 1,
    // SNS publishes nothing while nothing fails.
    treatMissingData: 'notBreaching',
    symptom: `An alert of the ${of} topic${owner === undefined ? '' : ` of ${owner}`} was not delivered to one of its subscribers, who may not know of it`,
    action: 'Read what is in alarm, and act on it; then repair or replace the subscription that fails.',
    owner: 'platform',
    runbookAnchor: 'alerts-undelivered',
    consolePage: 'topics',
  };
}

/** CloudWatch publishes to a topic by another permission than EventBridge, so this arrives where the event did not. */
function eventsUndelivered(): AlarmDefinition {
  return {
    name: 'eventsUndelivered',
    measure: 'Events that reached no topic',
    unit: 'count',
    thresholds: { critical: 0 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: { from: 'queue', queue: 'undelivered', name: 'ApproximateNumberOfMessagesVisible' },
    periodSeconds: 300,
    evaluationPeriods: 1,
    // SQS stops publishing about a queue that is not used, which must not close the alarm.
    treatMissingData: 'ignore',
    symptom: 'AWS reported a failure, or a recovery asked a question, and EventBridge could not publish it to a topic',
    action: 'Read the events in the queue, and act on them; then check the policies of the topic and of its key.',
    owner: 'platform',
    runbookAnchor: 'alerts-undelivered',
    consolePage: { queue: 'undelivered' },
  };
}
