import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { AlarmDefinition } from '../../../lib/config/alarms/alarm-definition';
import { alarmsOf } from '../../../lib/config/alarms/alarms';
import { defineEnvironment } from '../../../lib/config/environment-schema';
import { bitcoinEnvironment, exampleEnvironment } from '../../support/example-environments';
import { alarmText, type TextContext } from '../../../lib/monitoring/alarm-text';
import { REGION_TROUBLE } from '../../../lib/config/alarms/region-trouble';
import { FAILURE_EVENTS } from '../../../lib/monitoring/failure-events';
import { LARGE_ARCHIVE_ANCHOR } from '../../../lib/monitoring/archive-notifications';
import { RECOVERY_ANCHORS } from '../../../lib/monitoring/recovery-notifications';
import { resourcesOf, templatesOf } from '../support';
import { alarmsOfTemplate, textOf } from './alarm-support';

const production = exampleEnvironment('production');
const RUNBOOK = readFileSync(path.join(__dirname, '../../../docs/runbook.md'), 'utf8');
const ERRORS = readFileSync(path.join(__dirname, '../../../docs/errors.md'), 'utf8');
// The text before the first heading explains the commands.
const SECTIONS = RUNBOOK.split(/^## /m).slice(1);
const ANCHORS = SECTIONS.map((section) => (section.split('\n')[0] ?? '').toLowerCase().replaceAll(' ', '-'));

/** A line of a text such as `Runbook: …`. */
function lineOf(text: string, label: string): string {
  const [line, ...others] = text.split('\n').filter((candidate) => candidate.startsWith(`${label}: `));
  if (line === undefined || others.length > 0) throw new Error(`Expected one line ${label} in:\n${text}`);
  return line.slice(label.length + 2);
}

/** Where a text leads to, as far as it is the same for every text of an environment; its anchor if it is a heading. */
function linksOf(text: string): object {
  const runbook = new URL(lineOf(text, 'Runbook'));
  const page = new URL(lineOf(text, 'Console'));
  return {
    runbook: `${runbook.origin}${runbook.pathname}`,
    leadsToHeading: ANCHORS.includes(runbook.hash.slice(1)),
    console: page.hostname,
    region: page.searchParams.get('region'),
  };
}

/** The environments use one region and one runbook. */
const LINKS = {
  runbook: production.runbookUrl,
  leadsToHeading: true,
  console: `${production.region}.console.aws.amazon.com`,
  region: production.region,
};

describe.each(['production', 'dev', 'local'])('in %s', (environment) => {
  const texts = Object.entries(alarmsOfTemplate(environment)).map(
    ([name, { AlarmDescription }]) => [name, textOf(AlarmDescription)] as const,
  );

  test.each(texts)('the text of %s links to its runbook heading and to a page of the console', (_, text) => {
    expect(linksOf(text)).toEqual(LINKS);
  });

  test.each(texts)('the text of %s is short enough for CloudWatch', (_, text) => {
    expect(text.length).toBeLessThanOrEqual(1024);
  });

  test.each(texts)('the text of %s says what is wrong, from when on, and what to do first', (_, text) => {
    expect(text.split('\n')[0]).toMatch(new RegExp(`^[A-Z].+ \\(${environment}, (warning|critical)\\)\\.$`));
    expect(lineOf(text, 'Threshold')).toMatch(/^[A-Z].+ (above|below) \d+( (%|ms|min|h|days))?[ ,.]/);
    expect(lineOf(text, 'Do first')).toMatch(/^[A-Z].+\.$/);
  });
});

test('the message about each failure that AWS reports links to its runbook heading and to a page of the console', () => {
  const rules = Object.entries(resourcesOf(templatesOf('production').monitoring, 'AWS::Events::Rule'));
  const failures = rules.filter(([id]) => id.startsWith('FailureEvents'));
  expect(failures.length).toBeGreaterThan(5);
  for (const [, { Properties }] of failures) {
    const [{ Input: input } = { Input: '' }] = Properties.Targets as { Input: string }[];
    const text = JSON.parse(input) as string;
    expect(text.split('\n')[0]).toMatch(/ \(production, (critical|warning)\)\.$/);
    expect(linksOf(text)).toEqual(LINKS);
  }
});

test('the runbook has one heading for each alarm, reported failure and error that links one, each with its four steps', () => {
  const linked = [
    // Burstable instances are those of dev.
    ...[
      ...alarmsOf(bitcoinEnvironment()),
      ...alarmsOf(exampleEnvironment('dev')),
      ...FAILURE_EVENTS,
      REGION_TROUBLE,
    ].map(({ runbookAnchor }) => runbookAnchor),
    ...RECOVERY_ANCHORS,
    LARGE_ARCHIVE_ANCHOR,
    ...[...ERRORS.matchAll(/runbook\.md#([\w-]+)/g)].map(([, anchor]) => anchor ?? ''),
  ];
  expect(ANCHORS.toSorted()).toEqual([...new Set(linked)].toSorted());
  for (const section of SECTIONS) {
    for (const step of ['**Meaning.**', '**Investigate.**', '**Resolve.**', '**Verify.**']) {
      expect(section).toContain(step);
    }
  }
});

describe('a text', () => {
  const context: TextContext = {
    account: '333333333333',
    region: 'eu-central-1',
    runbookUrl: 'https://example.com/runbook',
    names: {
      environmentName: 'production',
      region: 'eu-central-1',
      undeliveredQueueName: 'undelivered',
      copies: { source: 'archives' },
      instanceIdentifiers: { billing: undefined, main: undefined },
      eventQueueName: 'events',
      parkedQueueName: 'parked',
      topicNames: { warning: 'warnings', critical: 'critical-alerts' },
      routedTopicNames: {},
    },
  };
  const alarm: AlarmDefinition = {
    name: 'drillMissing',
    measure: 'Age of the last drill',
    unit: 's',
    thresholds: { warning: 3600, critical: 3 * 24 * 3600 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: { from: 'lambda', stem: 'drill', name: 'Errors' },
    periodSeconds: 300,
    evaluationPeriods: 12,
    treatMissingData: 'breaching',
    symptom: 'No drill has passed',
    action: 'Start one.',
    owner: 'data',
    runbookAnchor: 'restore-drill-missing',
    consolePage: { functionOf: 'drill' },
  };
  const textWith = (change: Partial<AlarmDefinition>, place: Partial<TextContext> = {}) =>
    alarmText({ ...alarm, ...change }, 'critical', 'BillingOps-production-drillMissing', { ...context, ...place });

  test('has a line each for symptom, threshold, first action, runbook and console', () => {
    expect(textWith({})).toBe(
      [
        'No drill has passed (production, critical).',
        'Threshold: Age of the last drill above 3 days, or unknown, for 1 h.',
        'Owner: data',
        'Do first: Start one.',
        'Runbook: https://example.com/runbook#restore-drill-missing',
        'Console: https://eu-central-1.console.aws.amazon.com/lambda/home?region=eu-central-1#/functions/BillingOps-production-drill?tab=monitoring',
      ].join('\n'),
    );
  });

  test.each<[string, Partial<AlarmDefinition>, string]>([
    ['some of the periods', { datapointsToAlarm: 2 }, 'above 3 days, or unknown, in 2 of 12 periods of 5 min.'],
    ['one period', { evaluationPeriods: 1, treatMissingData: 'notBreaching' }, 'above 3 days within 5 min.'],
    ['one that lasts', { evaluationPeriods: 1, treatMissingData: 'ignore' }, 'above 3 days.'],
    ['a floor', { comparisonOperator: 'LessThanThreshold' }, 'below 3 days, or unknown, for 1 h.'],
    ['a share', { unit: '%', thresholds: { critical: 90 } }, 'above 90 %, or unknown, for 1 h.'],
    ['a count', { unit: 'count', thresholds: { critical: 2 } }, 'above 2, or unknown, for 1 h.'],
    ['hours', { thresholds: { critical: 25 * 3600 } }, 'above 25 h, or unknown, for 1 h.'],
    ['minutes', { thresholds: { critical: 5400 } }, 'above 90 min, or unknown, for 1 h.'],
  ])('words a threshold of %s', (_, change, expected) => {
    expect(lineOf(textWith(change), 'Threshold')).toBe(`Age of the last drill ${expected}`);
  });

  test.each<[AlarmDefinition['consolePage'], string]>([
    ['alarm', 'cloudwatch/home?region=eu-central-1#alarmsV2:alarm/BillingOps-production-drillMissing'],
    [
      { queue: 'parked' },
      'sqs/v3/home?region=eu-central-1#/queues/https%3A%2F%2Fsqs.eu-central-1.amazonaws.com%2F333333333333%2Fparked',
    ],
    [
      { queue: { failuresOf: 'drill' } },
      'sqs/v3/home?region=eu-central-1#/queues/https%3A%2F%2Fsqs.eu-central-1.amazonaws.com%2F333333333333%2FBillingOps-production-drill-failures',
    ],
    ['backupJobs', 'backup/home?region=eu-central-1#/jobs'],
    ['secrets', 'secretsmanager/listsecrets?region=eu-central-1'],
  ])('links to %j', (consolePage, expected) => {
    expect(lineOf(textWith({ consolePage }), 'Console')).toBe(
      `https://eu-central-1.console.aws.amazon.com/${expected}`,
    );
  });

  test.each([
    ['cn-north-1', 'https://cn-north-1.console.amazonaws.cn/'],
    ['us-gov-west-1', 'https://us-gov-west-1.console.amazonaws-us-gov.com/'],
  ])('links to the console of %s', (region, expected) => {
    expect(lineOf(textWith({}, { region }), 'Console')).toMatch(new RegExp(`^${expected}`));
  });

  test('that CloudWatch would refuse for its length is refused by the name of its alarm', () => {
    const used = textWith({ action: '' }).length;
    expect(() => textWith({ action: 'x'.repeat(1024 - used) })).not.toThrow();
    expect(() => textWith({ action: 'x'.repeat(1025 - used) })).toThrow(
      'alarm BillingOps-production-drillMissing: its text is 1025 characters long, and CloudWatch takes 1024',
    );
  });

  test('counts the longest name that a queue may have where the name is known at deployment only', () => {
    const parkedQueueName = '${Token[TOKEN.1]}';
    const names = { ...context.names, parkedQueueName };
    const used = textWith({ action: '', consolePage: { queue: 'parked' } }, { names }).length - parkedQueueName.length;
    const sized = (length: number) => () =>
      textWith({ action: 'x'.repeat(length), consolePage: { queue: 'parked' } }, { names });
    expect(sized(1024 - used - 80)).not.toThrow();
    expect(sized(1024 - used - 79)).toThrow('1025 characters');
  });
});

describe('the URL of the runbook is refused', () => {
  const wrong = 'runbookUrl must be an https URL of at most 200 characters, without `#` and `?`, such as';
  test.each([
    ['when it is left out', undefined],
    ['without TLS', 'http://example.com/runbook.md'],
    ['as a path', 'docs/runbook.md'],
    ['with an anchor of its own', 'https://example.com/runbook.md#top'],
    ['when it leaves too little of a text', `https://example.com/${'x'.repeat(200)}`],
  ])('%s', (_, runbookUrl) => {
    expect(() => defineEnvironment({ ...production, runbookUrl: runbookUrl as string })).toThrow(wrong);
  });
});
