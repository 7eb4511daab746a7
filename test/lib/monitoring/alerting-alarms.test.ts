import { alarmOf, topicOf } from './alarm-support';

describe('an alert that SNS cannot deliver', () => {
  test.each([
    ['warningsUndelivered', 'warning', 'critical'],
    ['criticalAlertsUndelivered', 'critical', 'warning'],
  ])('raises %s through the other topic when it is of the %s topic', (name, of, by) => {
    const topic = topicOf('production', by);
    expect(alarmOf('production', name)).toMatchObject({
      Namespace: 'AWS/SNS',
      MetricName: 'NumberOfNotificationsFailed',
      Dimensions: [{ Name: 'TopicName', Value: { 'Fn::GetAtt': [topicOf('production', of).Ref, 'TopicName'] } }],
      Statistic: 'Sum',
      Period: 300,
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      EvaluationPeriods: 12,
      DatapointsToAlarm: 1,
      TreatMissingData: 'notBreaching',
      AlarmActions: [topic],
      OKActions: [topic],
    });
  });
});
