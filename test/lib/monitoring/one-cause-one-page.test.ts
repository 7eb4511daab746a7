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

test('an environment without computed alarms has no composite alarms, as their causes are computed', () => {
  expect(resourcesOf(templatesOf('rehearsal').monitoring, 'AWS::CloudWatch::CompositeAlarm')).toEqual({});
});
