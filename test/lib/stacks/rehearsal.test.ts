import { existsSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { METRIC_NAMESPACE } from '../../../core/contract';
import { WEBHOOK_METRICS } from '../../../lambdas/webhook/contract';
import type { EnvironmentConfig } from '../../../lib/config/environment-schema';
import { DEPLOYED_ENVIRONMENTS, deployedEnvironment, rehearsalEnvironment } from '../../../lib/config/environments';
import { NOT_REHEARSED } from '../../rehearsal/not-rehearsed';
import { localOptions, resourcesOf, templatesOf } from '../support';

const rehearsal = rehearsalEnvironment(localOptions());
const production = deployedEnvironment('production');

/** Settings that switch a part of the platform off. */
const SWITCHES = Object.entries(rehearsal).flatMap(([name, value]) => (value === false ? [name] : []));

test('what the rehearsal switches off is on in production', () => {
  expect(SWITCHES.toSorted()).toEqual(['computedAlarms', 'firewall']);
  for (const name of SWITCHES) expect([name, production[name as keyof EnvironmentConfig]]).toEqual([name, true]);
});

test('what the rehearsal has no databases of its own for is on in production', () => {
  expect(production).toMatchObject({
    databases: {
      billing: { kind: 'create', multiAz: true, proxy: true, analyticsReplica: true },
      main: { kind: 'create' },
    },
    cache: { kind: 'serverless' },
    reconciliation: { enabled: true },
  });
});

test('no environment that holds data leaves the firewall or an alarm out', () => {
  expect(DEPLOYED_ENVIRONMENTS.map(deployedEnvironment).filter((config) => !config.firewall)).toEqual([]);
  expect(DEPLOYED_ENVIRONMENTS.map(deployedEnvironment).filter((config) => !config.computedAlarms)).toEqual([]);
});

test('the rehearsal is protected and copied to a second region, as production is', () => {
  const settings = ({ removalProtection, region, secondRegion }: EnvironmentConfig) => ({
    removalProtection,
    region,
    secondRegion,
  });
  expect(settings(rehearsal)).toEqual(settings(production));
});

test('without the firewall, nothing of it is made', () => {
  const types = Object.values(resourcesOf(templatesOf('rehearsal').operations)).map(({ Type }) => Type);
  expect(types.filter((type) => type.startsWith('AWS::WAFv2::'))).toEqual([]);
});

test('without computed alarms, every alarm is on one metric', () => {
  const { monitoring } = templatesOf('rehearsal');
  expect(Object.keys(resourcesOf(monitoring, 'AWS::CloudWatch::CompositeAlarm'))).toEqual([]);
  const alarms = Object.entries(resourcesOf(monitoring, 'AWS::CloudWatch::Alarm'));
  expect(alarms.length).toBeGreaterThan(0);
  expect(alarms.filter(([, { Properties }]) => Properties.Metrics !== undefined).map(([id]) => id)).toEqual([]);
});

test('what the endpoint counts while its secret is not filled in raises an alarm', () => {
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

describe('what is not rehearsed', () => {
  const typesOf = (environment: string) => {
    const { data, operations, monitoring, recovery } = templatesOf(environment);
    const templates = [data, operations, monitoring, ...(recovery ? [recovery] : [])];
    return new Set(templates.flatMap((template) => Object.values(resourcesOf(template)).map(({ Type }) => Type)));
  };
  const rehearsed = typesOf('rehearsal');
  const left = [...typesOf('production')].filter((type) => !rehearsed.has(type));

  test('is listed, type by type of what production deploys', () => {
    const listed = new Set(NOT_REHEARSED.flatMap(({ types }) => types));
    expect(left.filter((type) => !listed.has(type))).toEqual([]);
  });

  test('is only what production deploys', () => {
    const deployed = typesOf('production');
    expect(NOT_REHEARSED.flatMap(({ types }) => types).filter((type) => !deployed.has(type))).toEqual([]);
  });

  test('is no type that the rehearsal deploys after all', () => {
    expect(NOT_REHEARSED.flatMap(({ types }) => types).filter((type) => rehearsed.has(type))).toEqual([]);
  });

  test.each(NOT_REHEARSED)('$what: the tests that prove it instead exist', ({ coveredBy }) => {
    expect(coveredBy.length).toBeGreaterThan(0);
    const root = path.join(__dirname, '../../..');
    expect(coveredBy.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });
});
