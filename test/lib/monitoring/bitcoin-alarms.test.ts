import { thresholdsOf } from '../../../lib/config/alarms/alarm-definition';
import { alarmsOf } from '../../../lib/config/alarms/alarms';
import { CONFIRMATIONS_METRICS } from '../../../lambdas/confirmations/contract';
import { bitcoinEnvironment, exampleEnvironment } from '../../support/example-environments';
import { templatesOf } from '../support';
import { alarmsOfTemplate } from './alarm-support';
import { simulate } from './cloudwatch/simulate';
import { metricAlarmsOf, tellsReturn } from './cloudwatch/template-alarms';
import { BITCOIN_FAILURES } from './truth/bitcoin-failures';
import { healthy, healthyBitcoin, worldOf } from './truth/published';

const PREFIX = 'BillingOps-production-';
const usual = new Set(Object.keys(alarmsOfTemplate('production')));
const ALARMS = metricAlarmsOf(templatesOf('bitcoin').monitoring).filter(
  ({ name }) => !tellsReturn(name) && !usual.has(name.slice(PREFIX.length)),
);
const published = [...healthy(), ...healthyBitcoin()];

test('an environment that takes bitcoin has its alarms, each with its fault, and any other has none of them', () => {
  const others = alarmsOf(exampleEnvironment('production')).map(({ name }) => name);
  const own = alarmsOf(bitcoinEnvironment()).filter(({ name }) => !others.includes(name));
  expect(own.flatMap(thresholdsOf)).toHaveLength(8);
  expect(ALARMS.map(({ name }) => name.slice(PREFIX.length)).toSorted()).toEqual(
    own.map(({ name }) => name).toSorted(),
  );
  expect(BITCOIN_FAILURES.map(({ alarm }) => alarm).toSorted()).toEqual(own.map(({ name }) => name).toSorted());
});

test.each(BITCOIN_FAILURES)('$alarm is raised when $fault', ({ alarm: suffix, published: fault, within }) => {
  const world = worldOf(published, fault);
  const { transitions } = simulate({ alarms: ALARMS, world, from: -20, to: within, initial: 'OK' });
  expect(transitions.map(({ alarm, state }) => `${alarm.slice(PREFIX.length)} ${state}`)).toContain(`${suffix} ALARM`);
  expect(transitions.filter(({ state }) => state === 'ALARM')).toHaveLength(1);
});

test('a healthy day, with a run that a deployment lost, raises no alarm on payments in bitcoin', () => {
  const keys = new Map(healthyBitcoin().map(({ key, emit }) => [key, emit]));
  const lost = Object.fromEntries(
    [...keys].map(([key, emit]) => [key, (minute: number) => (minute === 30 ? undefined : emit(minute))]),
  );
  const { transitions } = simulate({
    alarms: ALARMS,
    world: worldOf(published, lost),
    from: -20,
    to: 120,
    initial: 'OK',
  });
  expect(transitions.filter(({ state }) => state === 'ALARM')).toEqual([]);
});

test('every metric of the function but its duration has an alarm', () => {
  const text = JSON.stringify(alarmsOfTemplate('bitcoin', 'production'));
  const silent = Object.values(CONFIRMATIONS_METRICS).filter((name) => !text.includes(`"MetricName":"${name}"`));
  expect(silent).toEqual(['ConfirmationsDuration']);
});
