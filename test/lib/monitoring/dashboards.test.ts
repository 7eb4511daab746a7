import { App, Stack } from 'aws-cdk-lib';
import { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { alarmsOf } from '../../../lib/config/alarms/alarms';
import { thresholdsOf } from '../../../lib/config/alarms/alarm-definition';
import { OWNERS } from '../../../lib/config/alarms/owners';
import { dashboardSections, nightSections } from '../../../lib/config/dashboard/sections';
import { functionMetricsOf } from '../../../lib/config/dashboard/widget';
import { statesOf } from '../../../lib/monitoring/dashboards';
import { bitcoinEnvironment, exampleEnvironment } from '../../support/example-environments';
import { alarmsOfTemplate } from './alarm-support';
import { contractMetrics } from './contract-metrics';
import { dashboardsOf } from './dashboard-support';

const config = exampleEnvironment('production');
const { 'BillingOps-production-overview': overview = [], 'BillingOps-production-night': night = [] } =
  dashboardsOf('production');

/** Metrics that the dashboard leaves out, each with the reason. */
const NOT_SHOWN: Readonly<Record<string, string>> = {
  BackupBytes: 'the size of the archive is shown',
  BackupExported: 'the alarm names the finished export',
  BackupHousekeepingFailed: 'an alarm',
  BackupSucceeded: 'the age is shown',
  BackupUnrecordedSchemaChanges: 'an answer of the backup',
  BloatBytes: 'the monthly report names each table and index',
  CanaryFailed: 'the latency is shown, and its absence raises the alarm',
  CanaryLost: 'an alarm',
  CanarySucceeded: 'the latency is shown',
  CanaryUnconfigured: 'only before the secrets are filled in, on the first day',
  CleanupOverdue: 'an alarm',
  ConfirmationsSucceeded: 'an alarm, when it is missing',
  CleanupSucceeded: 'the age of what is overdue raises the alarm',
  ApiFailed: 'an alarm',
  ApiKeysRejected: 'an alarm',
  ApiRequests: 'of no use at night; API Gateway counts them as well',
  CollectionSucceeded: 'an alarm, when it is missing',
  DisputeDue: 'an alarm; `ops status` lists them',
  PayoutLateness: 'an alarm; `ops payouts list` lists them',
  DrillDuration: 'its share of the target is shown',
  DrillFindings: 'an alarm; `ops drills list` shows them',
  DrillSucceeded: 'the age is shown',
  EntitlementsDuration: 'of a command that a person waits for',
  EntitlementsFailed: 'the person who asked gets the error',
  EventsDeleted: 'kept events are a promise, deleted ones are not a sign of anything',
  EventsProcessed: 'shown by outcome',
  EventsReplayFailed: 'the person who asked gets the error',
  EventsReplayed: 'the person who asked gets the number',
  ExpiredArchives: 'the log of the backup',
  CardNumbersFound: 'an alarm',
  CardNumbersInLogs: 'an alarm',
  DataOutsideRegions: 'an alarm',
  MaintenanceOverdue: 'an alarm',
  MaintenanceSucceeded: 'the time by which a task is late raises the alarm',
  ObjectRefreshesFailed: 'the age of what waits is shown',
  ObjectsRefreshed: 'the age of what waits is shown',
  IndexFindings: 'the monthly report names each index',
  ReconciliationInterrupted: 'the age is shown',
  ReconciliationSucceeded: 'the age is shown',
  RefreshDuration: 'the age of what waits is shown',
  ReplayFailed: 'the person who asked gets the error',
  ReplicationLatency: 'an alarm',
  RestoreDuration: 'of a command that a person waits for',
  RestoreFailed: 'the person who asked gets the error',
  RestoreSucceeded: 'the person who asked gets the answer',
  RowRecoveryFailed: 'the person who asked gets the error',
  RowRecoveryMergedRows: 'the person who asked gets the number',
  RowRecoverySucceeded: 'the person who asked gets the answer',
  SweptLeftovers: 'the log of the backup',
  VerifyDuration: 'of a command that a person waits for',
  VerifyFailed: 'an alarm',
  VerifySucceeded: 'an alarm, on failures',
};

test('every metric of every contract is on the dashboard, or is listed with the reason why not', () => {
  const shown = functionMetricsOf(dashboardSections(bitcoinEnvironment()));
  const names = new Set(contractMetrics().map(({ name }) => name));

  expect([...names].filter((name) => !shown.has(name) && !(name in NOT_SHOWN))).toEqual([]);
  expect(Object.keys(NOT_SHOWN).filter((name) => !names.has(name) || shown.has(name))).toEqual([]);
});

test('every line of a function shows a metric that this function publishes', () => {
  const published = new Set(contractMetrics().map(({ stem, name }) => `${stem} ${name}`));
  const text = JSON.stringify([dashboardSections(config), nightSections(config)]);
  const lines = [...text.matchAll(/"stem":"([^"]+)","name":"([^"]+)"/g)].map(([, stem, name]) => `${stem} ${name}`);

  expect(lines.length).toBeGreaterThan(40);
  expect([...new Set(lines)].filter((line) => !published.has(line))).toEqual([]);
});

test('thresholds are drawn where the alarms have them, in the unit of the graph', () => {
  const drawn = (title: string) =>
    overview
      .find(({ properties }) => properties.title === title)
      ?.properties.annotations?.horizontal.map(({ label, value }) => [label, value]);
  const thresholds = (name: string) => {
    const alarm = alarmsOf(config).find((definition) => definition.name === name);
    if (alarm === undefined) throw new Error(`no alarm ${name}`);
    return thresholdsOf(alarm);
  };

  expect(drawn('Disk used')).toEqual(thresholds('databaseSize'));
  expect(drawn('Acknowledgement')).toEqual(thresholds('responseTime'));
  expect(drawn('Backups of billing')).toEqual([['critical', 7]]);
});

test('the first row answers whether money flows, and every alarm has its state on both dashboards', () => {
  const headings = overview.flatMap(({ properties }) => /^### (.*)/.exec(properties.markdown ?? '')?.[1] ?? []);
  expect(headings).toEqual(dashboardSections(config).map(({ title }) => title));
  expect(headings[0]).toBe('Is money flowing?');

  // And trouble of the region, which is a composite alarm of its own.
  const alarms = [...Object.keys(alarmsOfTemplate('production')), 'regionTrouble'];
  for (const widgets of [overview, night]) {
    const states = widgets.filter(({ type }) => type === 'alarm').map(({ properties }) => properties);
    expect(states.map(({ title }) => title)).toEqual(OWNERS.map((owner) => `Alarms of ${owner}`));
    expect(states.flatMap((widget) => widget.alarms)).toHaveLength(alarms.length);
  }
});

test('the dashboard for the night is one column of a phone, and short', () => {
  expect(night.every(({ x, width }) => x === 0 && width === 24)).toBe(true);
  expect(night.length).toBeLessThanOrEqual(10);
});

test('a widget has at most the 100 alarms that CloudWatch takes, and every alarm of a larger group has its state', () => {
  const stack = new Stack(new App(), 'Monitoring', { env: { account: '333333333333', region: 'eu-central-1' } });
  const alarms = Array.from({ length: 230 }, (_, index) =>
    Alarm.fromAlarmArn(stack, `A${index}`, `arn:aws:cloudwatch:eu-central-1:333333333333:alarm:a${index}`),
  );
  const states = statesOf(new Map([['data', alarms]])).flat();
  const shown = states.map((widget) => (widget.toJson()[0] as { properties: { alarms: string[] } }).properties.alarms);
  expect(shown.map(({ length }) => length)).toEqual([100, 100, 30]);
  expect(shown.flat()).toEqual(alarms.map(({ alarmArn }) => alarmArn));
});
