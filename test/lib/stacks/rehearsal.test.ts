import { existsSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { METRIC_NAMESPACE } from '../../../core/contract';
import { WEBHOOK_METRICS } from '../../../lambdas/webhook/contract';
import type { EnvironmentConfig } from '../../../lib/config/environment-schema';
import { rehearsalEnvironment } from '../../../lib/config/built-environments';
import { EXAMPLES, exampleEnvironment } from '../../support/example-environments';
import { NOT_REHEARSED } from '../../rehearsal/not-rehearsed';
import { rehearsalOptions, resourcesOf, templatesOf } from '../support';

const rehearsal = rehearsalEnvironment(rehearsalOptions());
const production = exampleEnvironment('production');

/** Settings by which the rehearsal switches a part of the platform off. */
const SWITCHES = Object.entries(rehearsal).flatMap(([name, value]) => (value === false ? [name] : []));

test('every part that the rehearsal switches off is on in production', () => {
  expect(SWITCHES.toSorted()).toEqual(['canary', 'computedAlarms', 'firewall', 'gradualDeployments', 'savedQueries']);
  for (const name of SWITCHES) expect([name, production[name as keyof EnvironmentConfig]]).toEqual([name, true]);
});

test('every part that the rehearsal lacks for want of databases of its own is on in production', () => {
  expect(production).toMatchObject({
    databases: {
      billing: { kind: 'create', multiAz: true, proxy: true, analyticsReplica: true },
      main: { kind: 'create' },
    },
    cache: { kind: 'serverless' },
    reconciliation: { enabled: true },
  });
});

test('every deployed environment has the firewall and all alarms', () => {
  expect(EXAMPLES.map(exampleEnvironment).filter((config) => !config.firewall)).toEqual([]);
  expect(EXAMPLES.map(exampleEnvironment).filter((config) => !config.computedAlarms)).toEqual([]);
});

test('the rehearsal is protected and copied to a second region, as production is', () => {
  const settings = ({ removalProtection, region, secondRegion }: EnvironmentConfig) => ({
    removalProtection,
    region,
    secondRegion,
  });
  expect(settings(rehearsal)).toEqual(settings(production));
});

test('an environment without the firewall has no resource of it', () => {
  const types = Object.values(resourcesOf(templatesOf('rehearsal').operations)).map(({ Type }) => Type);
  expect(types.filter((type) => type.startsWith('AWS::WAFv2::'))).toEqual([]);
});

test('an environment without computed alarms has only alarms on a single metric', () => {
  const { monitoring } = templatesOf('rehearsal');
  expect(Object.keys(resourcesOf(monitoring, 'AWS::CloudWatch::CompositeAlarm'))).toEqual([]);
  const alarms = Object.entries(resourcesOf(monitoring, 'AWS::CloudWatch::Alarm'));
  expect(alarms.length).toBeGreaterThan(0);
  expect(alarms.filter(([, { Properties }]) => Properties.Metrics !== undefined).map(([id]) => id)).toEqual([]);
});

test('the failures that the endpoint counts while its secret is a placeholder raise an alarm', () => {
  const name = 'production';
  const counted = { Namespace: METRIC_NAMESPACE, MetricName: WEBHOOK_METRICS.failed };
  const alarms = Object.values(resourcesOf(templatesOf(name).monitoring, 'AWS::CloudWatch::Alarm'));
  const ofFailures = alarms.filter(({ Properties }) =>
    ((Properties.Metrics ?? []) as { MetricStat?: { Metric: object } }[]).some(({ MetricStat: statistic }) =>
      isDeepStrictEqual(statistic?.Metric, {
        ...counted,
        Dimensions: [
          { Name: 'environment', Value: name },
          { Name: 'service', Value: 'webhook' },
        ],
      }),
    ),
  );
  expect(ofFailures.map(({ Properties }) => Properties.AlarmName)).toContain(`BillingOps-${name}-webhookErrors`);
});

describe('the list of what is not rehearsed', () => {
  const typesOf = (environment: string) => {
    const { data, operations, monitoring, recovery } = templatesOf(environment);
    const templates = [data, operations, monitoring, ...(recovery ? [recovery] : [])];
    return new Set(templates.flatMap((template) => Object.values(resourcesOf(template)).map(({ Type }) => Type)));
  };
  const rehearsed = typesOf('rehearsal');
  const left = [...typesOf('production')].filter((type) => !rehearsed.has(type));

  test('has every resource type of production that the rehearsal does not deploy', () => {
    const listed = new Set(NOT_REHEARSED.flatMap(({ types }) => types));
    expect(left.filter((type) => !listed.has(type))).toEqual([]);
  });

  test('has only resource types of production', () => {
    const deployed = typesOf('production');
    expect(NOT_REHEARSED.flatMap(({ types }) => types).filter((type) => !deployed.has(type))).toEqual([]);
  });

  test('has no resource type that the rehearsal deploys', () => {
    expect(NOT_REHEARSED.flatMap(({ types }) => types).filter((type) => rehearsed.has(type))).toEqual([]);
  });

  test.each(NOT_REHEARSED)('names existing tests for $what', ({ coveredBy }) => {
    expect(coveredBy.length).toBeGreaterThan(0);
    const root = path.join(__dirname, '../../..');
    expect(coveredBy.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });
});
