import { alarmSuffix, thresholdsOf } from '../../../lib/config/alarms/alarm-definition';
import { alarmsOf } from '../../../lib/config/alarms/alarms';
import { pageRules } from '../../../lib/config/alarms/causes';
import { notifyingAlarms } from '../../../lambdas/inspect/pipeline/contract';
import { exampleEnvironment } from '../../support/example-environments';
import { resourcesOf, templatesOf } from '../support';
import { simulate } from './cloudwatch/simulate';
import { compositesOf, metricAlarmsOf, pagingAlarmsOf, tellsReturn } from './cloudwatch/template-alarms';
import { CAUSES, OVER_AFTER } from './truth/causes';
import { FAILURES } from './truth/failures';
import { healthy, worldOf } from './truth/published';

const { monitoring } = templatesOf('production');
const ALARMS = pagingAlarmsOf(monitoring);
const COMPOSITES = compositesOf(monitoring);
const PREFIX = 'BillingOps-production-';

test.each(CAUSES)('when $name, exactly this pages: $pages', ({ world, pages: expected, within }) => {
  const { pages } = simulate({
    alarms: ALARMS,
    composites: COMPOSITES,
    world,
    from: -5,
    to: OVER_AFTER + 90,
    initial: 'OK',
  });
  expect(pages.map(({ alarm }) => alarm.slice(PREFIX.length))).toEqual(expected);
  expect(pages[0]?.minute).toBeLessThanOrEqual(within);
});

const PAGES = COMPOSITES.filter(({ topics }) => topics.length > 0).map(({ name }) => name.slice(PREFIX.length));

test.each(PAGES.filter((page) => page !== 'regionTrouble'))('%s goes out when its own fault is the cause', (page) => {
  const alarm = page.replace('-page', '');
  const failure = FAILURES.find((one) => one.alarm === alarm || one.alarm === `${alarm}-critical`);
  const composites = COMPOSITES.filter(({ name }) =>
    [page, `${alarm}-silent`, 'regionTrouble'].some((one) => name === `${PREFIX}${one}`),
  );
  const rules = composites.map(({ rule }) => rule).join(' ');
  const { pages } = simulate({
    alarms: ALARMS.filter(({ name }) => rules.includes(`("${name}")`)),
    composites,
    world: worldOf(healthy(), failure?.published),
    from: -5,
    to: (failure?.within ?? 0) + 12,
    initial: 'OK',
  });
  expect(pages.map(({ alarm: name }) => name)).toContain(`${PREFIX}${page}`);
});

test('every critical alarm pages, by itself or by its composite alarm', () => {
  const quiet = metricAlarmsOf(monitoring)
    .filter(({ name, topics }) => topics.length === 0 && !tellsReturn(name))
    .map(({ name }) => name);
  expect(quiet.map((name) => `${name.replace('-critical', '')}-page`).toSorted()).toEqual(
    PAGES.filter((page) => page !== 'regionTrouble')
      .map((page) => `${PREFIX}${page}`)
      .toSorted(),
  );
});

test('a list of raised alarms has every warning and every page once, and none that only decides whether others page', () => {
  const described = (type: string) =>
    Object.values(resourcesOf(monitoring, type)).map(({ Properties }) => ({
      ...Properties,
      AlarmName: String(Properties.AlarmName),
      AlarmDescription: String(Properties.AlarmDescription),
    }));
  const listed = notifyingAlarms({
    MetricAlarms: described('AWS::CloudWatch::Alarm'),
    CompositeAlarms: described('AWS::CloudWatch::CompositeAlarm'),
  });
  expect(listed.filter(({ text }) => text.startsWith('Notifies nobody'))).toEqual([]);
  const names = listed.map(({ name }) => name.slice(PREFIX.length));
  const definitions = alarmsOf(exampleEnvironment('production'));
  const paged = pageRules(definitions);
  const expected = definitions.flatMap((definition) =>
    thresholdsOf(definition).map(([severity]) =>
      severity === 'critical' && paged.has(definition.name)
        ? `${definition.name}-page`
        : alarmSuffix(definition, severity),
    ),
  );
  expect(names.toSorted()).toEqual([...expected, 'regionTrouble'].toSorted());
});

test('an environment without computed alarms has no composite alarms, as their causes are computed', () => {
  expect(resourcesOf(templatesOf('rehearsal').monitoring, 'AWS::CloudWatch::CompositeAlarm')).toEqual({});
});
