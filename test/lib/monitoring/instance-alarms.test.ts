import { resourceLike, templatesOf } from '../support';
import { alarmOf, alarmsOfTemplate, queriesOf } from './alarm-support';
import { isRaised, type Period } from './evaluate-alarm';

const metricsOf = (environment: string, name: string) =>
  queriesOf(alarmOf(environment, name)).flatMap(({ MetricStat }) => MetricStat?.Metric ?? []);
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe('the lag of the analytics replica', () => {
  const lag = alarmOf('production', 'replicaLag-billing');

  test('is of the replica that the template makes', () => {
    const { data } = templatesOf('production');
    const { DBInstanceIdentifier } = resourceLike(data, 'AWS::RDS::DBInstance', 'Analytics').Properties;
    expect(metricsOf('production', 'replicaLag-billing')).toEqual([
      {
        Namespace: 'AWS/RDS',
        MetricName: 'ReplicaLag',
        Dimensions: [{ Name: 'DBInstanceIdentifier', Value: DBInstanceIdentifier }],
      },
    ]);
  });

  test.each([
    [3, 'above half an hour', { lag: 1900 }],
    // CloudWatch goes by the values that it still has for two periods longer.
    [5, 'unknown, because the replica is gone', {}],
    [3, '-1, because replication has stopped', { lag: -1 }],
  ])('raises an alarm when it is for %s periods %s', (count, _, period) => {
    expect(isRaised(lag, [...times<Period>(6, { lag: 2 }), ...times<Period>(count - 1, period)])).toBe(false);
    expect(isRaised(lag, [...times<Period>(6, { lag: 2 }), ...times<Period>(count, period)])).toBe(true);
  });

  test('raises none while one long query holds replay back', () => {
    expect(isRaised(lag, [...times(6, { lag: 2 }), ...times(3, { lag: 900 }), { lag: 3 }])).toBe(false);
  });

  test('has an alarm only where there is a replica', () => {
    expect(Object.keys(alarmsOfTemplate('production'))).not.toContain('replicaLag-main');
    expect(Object.keys(alarmsOfTemplate('dev'))).not.toContain('replicaLag-billing');
  });
});

describe('transaction ids', () => {
  test('raise a warning at a quarter of what PostgreSQL has, of whichever database', () => {
    const warning = alarmOf('production', 'transactionIds-warning');
    expect(isRaised(warning, times(3, { billing: 210e6, main: 500e6 + 1 }))).toBe(true);
    expect(isRaised(warning, times(3, { billing: 210e6, main: 499e6 }))).toBe(false);
    expect(isRaised(warning, [...times(3, { main: 600e6 }), undefined])).toBe(true);
    expect(metricsOf('production', 'transactionIds-warning').map(({ MetricName }) => MetricName)).toEqual([
      'MaximumUsedTransactionIDs',
      'MaximumUsedTransactionIDs',
    ]);
  });
});

describe('CPU credits', () => {
  test('raise a warning when those of a burstable instance are used up', () => {
    const credits = alarmOf('dev', 'cpuCredits');
    expect(isRaised(credits, times(3, { billing: 0, main: 145 }))).toBe(true);
    expect(isRaised(credits, times(3, { billing: 0, main: 30 }))).toBe(false);
    expect(metricsOf('dev', 'cpuCredits').map(({ MetricName }) => MetricName)).toEqual([
      'CPUSurplusCreditBalance',
      'CPUSurplusCreditBalance',
    ]);
  });

  test('have an alarm only where an instance is burstable, and of that instance alone', () => {
    expect(Object.keys(alarmsOfTemplate('production'))).not.toContain('cpuCredits');
    expect(metricsOf('staging', 'cpuCredits').flatMap(({ Dimensions }) => Dimensions)).toEqual([
      { Name: 'DBInstanceIdentifier', Value: 'billing-operations-staging-main' },
    ]);
  });
});
