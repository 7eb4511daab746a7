import { resourcesOf, templatesOf } from '../support';
import { simulate } from './cloudwatch/simulate';
import { compositesOf, metricAlarmsOf } from './cloudwatch/template-alarms';
import { CAUSES, OVER_AFTER } from './truth/causes';
import { FAILURES } from './truth/failures';
import { healthy, worldOf } from './truth/published';

const { monitoring } = templatesOf('production');
/** Critical ones, or without a topic: those that a composite alarm pages for. Warnings page nobody. */
const ALARMS = metricAlarmsOf(monitoring).filter(({ topics }) => !topics.some((topic) => topic.includes('Warning')));
const COMPOSITES = compositesOf(monitoring);
const PREFIX = 'BillingOps-production-';

test.each(CAUSES)('when $name, exactly this pages: $pages', ({ world, pages, within }) => {
  const { notifications } = simulate({
    alarms: ALARMS,
    composites: COMPOSITES,
    world,
    from: -5,
    to: OVER_AFTER + 40,
    initial: 'OK',
  });
  expect(notifications.map(({ alarm }) => alarm.slice(PREFIX.length))).toEqual(pages);
  expect(notifications[0]?.minute).toBeLessThanOrEqual(within);
});

const PAGES = COMPOSITES.filter(({ topics }) => topics.length > 0).map(({ name }) => name.slice(PREFIX.length));

test.each(PAGES)('%s goes out when its own fault is the cause', (page) => {
  const alarm = page.replace('-page', '');
  const failure = FAILURES.find((one) => one.alarm === alarm || one.alarm === `${alarm}-critical`);
  const { notifications } = simulate({
    alarms: ALARMS,
    composites: COMPOSITES,
    world: worldOf(healthy(), failure?.published),
    from: -5,
    to: (failure?.within ?? 0) + 12,
    initial: 'OK',
  });
  expect(notifications.map(({ alarm: name }) => name)).toContain(`${PREFIX}${page}`);
});

test('every critical alarm pages, by itself or by its composite alarm', () => {
  const quiet = ALARMS.filter(({ topics }) => topics.length === 0).map(({ name }) => name);
  expect(quiet.map((name) => `${name.replace('-critical', '')}-page`).toSorted()).toEqual(
    PAGES.map((page) => `${PREFIX}${page}`).toSorted(),
  );
});

test('an environment without computed alarms has no composite alarms, as their causes are computed', () => {
  expect(resourcesOf(templatesOf('rehearsal').monitoring, 'AWS::CloudWatch::CompositeAlarm')).toEqual({});
});
