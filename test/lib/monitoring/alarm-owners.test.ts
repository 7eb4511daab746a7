import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { OWNERS } from '../../../lib/config/alarms/owners';
import { alarmsOf } from '../../../lib/config/alarms/alarms';
import { defineEnvironment } from '../../../lib/config/environment-schema';
import type { TextContext } from '../../../lib/monitoring/alarm-text';
import { Alarms } from '../../../lib/monitoring/alarms';
import { AlertTopics } from '../../../lib/monitoring/alert-topics';
import { ArchiveNotifications } from '../../../lib/monitoring/archive-notifications';
import { FAILURE_EVENTS, FailureEvents } from '../../../lib/monitoring/failure-events';
import { RecoveryNotifications } from '../../../lib/monitoring/recovery-notifications';
import { exampleEnvironment } from '../../support/example-environments';
import { resourcesOf, type Resource } from '../support';
import { textOf } from './alarm-support';

const production = exampleEnvironment('production');
const ROUTED = { warning: ['dba@example.com'], critical: ['dba-pager@example.com'] };
const config = { ...production, alarmOwners: { data: ROUTED } };
const COMPOSITE = 'AWS::CloudWatch::CompositeAlarm';
const routed = routedTemplate();

/** What Monitoring has, with the group `data` routed to topics of its own. */
function routedTemplate(): Template {
  const stack = new Stack(new App(), 'Monitoring', { env: { account: config.account, region: config.region } });
  const topics = new AlertTopics(stack, 'Alerts', { config });
  const undelivered = new Queue(stack, 'Undelivered');
  const context: TextContext = {
    account: config.account,
    region: config.region,
    runbookUrl: config.runbookUrl,
    names: {
      environmentName: config.name,
      region: config.region,
      undeliveredQueueName: 'undelivered',
      copies: { source: 'archives', secondRegion: 'copies', backupAccount: 'other' },
      instanceIdentifiers: { billing: 'billing-1', main: 'main-1' },
      eventQueueName: 'events',
      parkedQueueName: 'parked',
      topicNames: { warning: 'shared-warning', critical: 'shared-critical' },
      routedTopicNames: { data: { warning: 'data-warning', critical: 'data-critical' } },
    },
  };
  new Alarms(stack, 'Alarms', { definitions: alarmsOf(config), computed: true, topics, context });
  new FailureEvents(stack, 'FailureEvents', { topics, undelivered, context });
  new ArchiveNotifications(stack, 'ArchiveNotifications', { topics, undelivered, context, archived: ['billing'] });
  new RecoveryNotifications(stack, 'RecoveryNotifications', { topics, undelivered, context });
  return Template.fromStack(stack);
}

/** Group of an alarm by its tag. */
const ownerOf = ({ Properties }: Resource) =>
  (Properties.Tags as { Key: string; Value: string }[] | undefined)?.find(({ Key }) => Key === 'alarm-owner')?.Value;

/** Whose topics an alarm or a rule notifies, such as `data critical`. */
function notified(values: unknown): string[] {
  const ids = [...JSON.stringify(values ?? []).matchAll(/"Ref":"Alerts(Data)?(Warning|Critical)/g)];
  return ids.map(([, own, severity = '']) => `${own === undefined ? 'shared' : 'data'} ${severity.toLowerCase()}`);
}

const alarmsIn = (template: Template) => [
  ...Object.values(resourcesOf(template, 'AWS::CloudWatch::Alarm')),
  ...Object.values(resourcesOf(template, COMPOSITE)),
];

test('every alarm names the group that owns it, as a tag and in its text', () => {
  const alarms = alarmsIn(routed);
  expect(alarms.length).toBeGreaterThan(100);
  for (const alarm of alarms) {
    const text = textOf(alarm.Properties.AlarmDescription);
    const owner = /^Owner: (\w+)$/m.exec(text)?.[1];
    const named = { alarm: alarm.Properties.AlarmName, tag: ownerOf(alarm), known: true };
    expect({ ...named, known: OWNERS.some((one) => one === ownerOf(alarm)) }).toEqual(named);
    expect(owner).toBe(ownerOf(alarm));
  }
  expect(new Set(alarms.map(ownerOf))).toEqual(new Set(OWNERS));
});

test('alarms of a group that is routed notify its topics and no others, and those of the other groups the shared ones', () => {
  const seen = new Set<string>();
  for (const alarm of alarmsIn(routed)) {
    const [whose, ...none] = new Set(notified(alarm.Properties.AlarmActions).map((topic) => topic.split(' ')[0]));
    if (whose === undefined) continue;
    expect([alarm.Properties.AlarmName, whose, none]).toEqual([
      alarm.Properties.AlarmName,
      ownerOf(alarm) === 'data' ? 'data' : 'shared',
      [],
    ]);
    expect(alarm.Properties.OKActions).toEqual(alarm.Properties.AlarmActions);
    seen.add(`${alarm.Properties.AlarmName as string} ${notified(alarm.Properties.AlarmActions).join()}`);
  }
  expect([...seen]).toEqual(
    expect.arrayContaining([
      'BillingOps-production-databaseSize-warning data warning',
      'BillingOps-production-backupMissing-billing-page data critical',
      'BillingOps-production-canaryFailed-page shared critical',
    ]),
  );
});

test('what AWS and recoveries report goes to the topics of the group that owns it, and the test to all of them', () => {
  const rules = Object.entries(resourcesOf(routed, 'AWS::Events::Rule'));
  const to = (prefix: string) =>
    rules.filter(([id]) => id.startsWith(prefix)).flatMap(([, { Properties }]) => notified(Properties.Targets));
  const owned = FAILURE_EVENTS.filter(({ everyTopic }) => !everyTopic);
  expect(owned.length).toBeGreaterThan(5);
  for (const { name, owner } of owned) {
    expect([name, to(`FailureEvents${name}`)]).toEqual([name, [`${owner === 'data' ? 'data' : 'shared'} critical`]]);
  }
  expect(to('FailureEventsTest')).toEqual(['shared warning', 'shared critical', 'data warning', 'data critical']);
  expect(new Set(to('RecoveryNotifications'))).toEqual(new Set(['data critical', 'data warning']));
  expect(to('ArchiveNotifications')).toEqual(['data warning']);
});

test('the topics of a group have its addresses, and an alert that does not arrive is reported by the other one', () => {
  for (const severity of ['warning', 'critical'] as const) {
    const [topic = ''] = Object.keys(
      routed.findResources('AWS::SNS::Topic', {
        Properties: { DisplayName: `Billing ${severity} of data (production)` },
      }),
    );
    const subscriptions = Object.values(resourcesOf(routed, 'AWS::SNS::Subscription'));
    expect(subscriptions.map(({ Properties }) => [Properties.TopicArn, Properties.Endpoint])).toContainEqual([
      { Ref: topic },
      ROUTED[severity][0],
    ]);
    const name = `${severity === 'warning' ? 'warnings' : 'criticalAlerts'}Undelivered-data`;
    const undelivered = alarmsIn(routed).find(
      ({ Properties }) => Properties.AlarmName === `BillingOps-production-${name}`,
    );
    expect(undelivered?.Properties.Dimensions).toEqual([{ Name: 'TopicName', Value: `data-${severity}` }]);
    expect(notified(undelivered?.Properties.AlarmActions)).toEqual([
      `shared ${severity === 'warning' ? 'critical' : 'warning'}`,
    ]);
  }
});

test('a group that does not exist is refused by its name, with those that there are', () => {
  const { name, account, region } = production;
  const input = { ...production, name, account, region };
  expect(() => defineEnvironment({ ...input, alarmOwners: { finance: ROUTED } as never })).toThrow(
    'alarmOwners: unknown setting finance; the groups are billing, data, platform',
  );
  expect(() => defineEnvironment({ ...input, alarmOwners: { data: { critical: ['pager'] } } })).toThrow(
    'alarmOwners.data.critical.0 must be an e-mail address, got "pager"',
  );
  expect(defineEnvironment({ ...input, alarmOwners: { data: {} } }).alarmOwners).toEqual({
    data: { warning: [], critical: [] },
  });
});
