import type { EnvironmentConfig } from '../../lib/config/environment-schema';
import { DEPLOYED_ENVIRONMENTS, deployedEnvironment, rehearsalEnvironment } from '../../lib/config/environments';
import { localOptions, resourcesOf, templatesOf } from './support';

const rehearsal = rehearsalEnvironment(localOptions());
const production = deployedEnvironment('production');

/** Settings that switch a part of the platform off. */
const SWITCHES = Object.entries(rehearsal).flatMap(([name, value]) => (value === false ? [name] : []));

test('what the rehearsal switches off is on in production', () => {
  expect(SWITCHES.toSorted()).toEqual(['computedAlarms', 'firewall']);
  for (const name of SWITCHES) expect([name, production[name as keyof EnvironmentConfig]]).toEqual([name, true]);
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
