import { resourceLike, templatesOf } from '../support';
import { alarmOf, alarmsOfTemplate, queriesOf } from './alarm-support';
import { isRaised, type Period } from './evaluate-alarm';

const { operations } = templatesOf('production');
const blocked = (severity: string) => alarmOf('production', `deliveriesBlocked-${severity}`);
const throttled = (severity: string) => alarmOf('production', `deliveriesThrottled-${severity}`);

describe('a firewall that blocks signed deliveries', () => {
  test('raises an alarm within ten minutes, a critical one where it is not a single sender', () => {
    const arriving: Period = { arriving: 5, admitted: 0 };
    expect(isRaised(blocked('warning'), [arriving, arriving])).toBe(true);
    expect(isRaised(blocked('critical'), [arriving, arriving])).toBe(false);
    const many: Period = { arriving: 400 };
    expect(isRaised(blocked('critical'), [many, many])).toBe(true);
  });

  test.each<[string, Period[]]>([
    ['admits everything', [{ arriving: 50, admitted: 50 }]],
    ['gets nothing', [undefined]],
    [
      'blocks one delivery',
      [
        { arriving: 50, admitted: 49 },
        { arriving: 50, admitted: 50 },
      ],
    ],
  ])('raises none when it %s', (_, [first, second = first]) => {
    expect(isRaised(blocked('warning'), [first, second])).toBe(false);
  });

  test('is measured by two counting rules of the firewall, under its name: the first and the last of all rules', () => {
    const { Name, Rules, VisibilityConfig } = resourceLike(operations, 'AWS::WAFv2::WebACL', 'WebAcl').Properties;
    const rules = Rules as { Name: string; Action?: object; VisibilityConfig: { MetricName: string } }[];
    const counting = [rules[0], rules.at(-1)];
    expect(counting.map((rule) => rule?.Action)).toEqual([{ Count: {} }, { Count: {} }]);
    expect((VisibilityConfig as { MetricName: string }).MetricName).toBe(Name);
    const dimensions = queriesOf(blocked('warning')).flatMap(({ MetricStat }) => MetricStat?.Metric ?? []);
    expect(dimensions).toEqual(
      counting.map((rule) => ({
        Namespace: 'AWS/WAFV2',
        MetricName: 'CountedRequests',
        Dimensions: [
          { Name: 'Region', Value: 'eu-central-1' },
          { Name: 'Rule', Value: rule?.VisibilityConfig.MetricName },
          { Name: 'WebACL', Value: Name },
        ],
      })),
    );
  });

  test('has no metric whose name WAF reserves', () => {
    const { Rules, VisibilityConfig } = resourceLike(operations, 'AWS::WAFv2::WebACL', 'WebAcl').Properties;
    for (const name of JSON.stringify([Rules, VisibilityConfig]).matchAll(/"MetricName":"([^"]+)"/g)) {
      expect(['All', 'Default_Action']).not.toContain(name[1]);
      expect(name[1]).toMatch(/^[\w-]{1,128}$/);
    }
  });

  test('has no alarm where there is no firewall', () => {
    expect(Object.keys(alarmsOfTemplate('production'))).toContain('deliveriesBlocked-warning');
    const { operations: rehearsal } = templatesOf('rehearsal');
    expect(JSON.stringify(rehearsal.toJSON())).not.toContain('AWS::WAFv2::WebACL');
    expect(Object.keys(alarmsOfTemplate('rehearsal'))).not.toContain('deliveriesBlocked-warning');
  });
});

describe('an API that throttles deliveries', () => {
  test('raises an alarm within ten minutes, by the share that is refused', () => {
    const some: Period = { refused0: 60, rejected: 0, all0: 3000 };
    expect(isRaised(throttled('warning'), [some, some])).toBe(true);
    expect(isRaised(throttled('critical'), [some, some])).toBe(false);
    const most: Period = { refused0: 2000, all0: 3000 };
    expect(isRaised(throttled('critical'), [most, most])).toBe(true);
  });

  test.each<[string, Period]>([
    ['the function refuses what is forged', { refused0: 500, rejected: 500, all0: 500 }],
    ['the counters of the two are published at different moments', { refused0: 115, rejected: 100, all0: 200 }],
    ['nothing arrives', undefined],
  ])('raises none when %s', (_, period) => {
    expect(isRaised(throttled('warning'), [period, period, period])).toBe(false);
  });

  test('is measured at the method that Stripe posts to, which publishes its own metrics', () => {
    const metrics = queriesOf(throttled('warning')).flatMap(({ MetricStat }) => MetricStat?.Metric ?? []);
    for (const { Dimensions } of metrics.filter(({ Namespace }) => Namespace === 'AWS/ApiGateway')) {
      expect(Dimensions).toEqual([
        { Name: 'ApiName', Value: 'BillingOps-production' },
        { Name: 'Method', Value: 'POST' },
        { Name: 'Resource', Value: '/api/v1/webhooks/stripe' },
        { Name: 'Stage', Value: 'production' },
      ]);
    }
    const { MethodSettings } = resourceLike(operations, 'AWS::ApiGateway::Stage', 'Api').Properties;
    expect(MethodSettings).toContainEqual(
      expect.objectContaining({ HttpMethod: '*', ResourcePath: '/*', MetricsEnabled: true }),
    );
  });
});
