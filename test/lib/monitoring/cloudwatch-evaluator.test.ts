import { nextState, type AlarmState } from './cloudwatch/alarm-state';
import { ruleHolds, SuppressedActions } from './cloudwatch/composite';
import { evaluate, type Series, type Value } from './cloudwatch/metric-math';
import { Recorded } from './cloudwatch/samples';

/** The examples of CloudWatch's guide, which the evaluator of the alarm tests has to reproduce. */

/** As in the guide: 0 is within the threshold, X breaches it, - is missing. */
const points = (text: string): Series => text.split(' ').map((point) => ({ '0': 0, X: 10 })[point]);

const RETAIN = 'retain';
type Expected = AlarmState | typeof RETAIN;

/** The states that follow on each current state, by the treatment of missing data. */
function statesOf(range: string, needed: number): Record<string, Expected> {
  const states = ['missing', 'ignore', 'breaching', 'notBreaching'].map((TreatMissingData) => {
    const rule = {
      Threshold: 5,
      ComparisonOperator: 'GreaterThanThreshold',
      EvaluationPeriods: 3,
      DatapointsToAlarm: needed,
      TreatMissingData,
    };
    const [ok, alarm, unknown] = (['OK', 'ALARM', 'INSUFFICIENT_DATA'] as const).map((current) =>
      nextState(rule, points(range), current),
    );
    const retained = ok === 'OK' && alarm === 'ALARM' && unknown === 'INSUFFICIENT_DATA';
    if (!retained && (ok !== alarm || ok !== unknown)) throw new Error(`${range}: ${ok}, ${alarm}, ${unknown}`);
    return [TreatMissingData, retained ? RETAIN : ok];
  });
  return Object.fromEntries(states) as Record<string, Expected>;
}

const all = (state: AlarmState) => ({ missing: state, ignore: state, breaching: state, notBreaching: state });
const split = (missing: Expected, ignore: Expected, breaching: Expected, notBreaching: Expected) => ({
  missing,
  ignore,
  breaching,
  notBreaching,
});

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
describe('an alarm over 3 periods evaluates as the guide "Configuring how CloudWatch alarms treat missing data" says', () => {
  test.each([
    ['0 - X - X', all('OK')],
    ['0 - - - -', all('OK')],
    ['- - - - -', split('INSUFFICIENT_DATA', RETAIN, 'ALARM', 'OK')],
    ['0 X X - X', all('ALARM')],
    ['- - X - -', split('ALARM', RETAIN, 'ALARM', 'OK')],
    // Of "Avoiding premature transitions to alarm state": neither goes into ALARM at once.
    ['- - - - X', split('INSUFFICIENT_DATA', RETAIN, 'ALARM', 'OK')],
    ['- - - X -', split('INSUFFICIENT_DATA', RETAIN, 'ALARM', 'OK')],
  ] as const)('the points %s, of which 3 must breach', (range, expected) => {
    expect(statesOf(range, 3)).toEqual(expected);
  });

  test.each([
    ['0 - X - X', all('ALARM')],
    ['0 0 X 0 X', all('ALARM')],
    ['0 - X - -', split('OK', 'OK', 'ALARM', 'OK')],
    ['- - - - 0', split('OK', 'OK', 'ALARM', 'OK')],
    ['- - - X -', split('ALARM', RETAIN, 'ALARM', 'OK')],
  ] as const)('the points %s, of which 2 must breach', (range, expected) => {
    expect(statesOf(range, 2)).toEqual(expected);
  });
});

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
describe('metric math computes as the guide "Using metric math" says', () => {
  const m1 = [30, 20, 0, 0];
  const m2 = [20, undefined, 20, undefined];
  const condition = [1, 1, 0, 0, undefined];
  const valueOf = (expression: string, metrics: Readonly<Record<string, Series>>, missing?: 'zero' | 'gap'): Value =>
    evaluate(expression, {
      values: new Map(Object.entries(metrics)),
      metrics: Object.keys(metrics),
      periodSeconds: 300,
      length: Object.values(metrics)[0]?.length ?? 3,
      missing,
    });

  test.each([
    ['m1 < m2', { m1, m2 }, [0, 0, 1, 0]],
    ['m1 >= 30', { m1 }, [1, 0, 0, 0]],
    ['m1 > 15 AND m2 > 15', { m1, m2 }, [1, 0, 0, 0]],
    // The three tables of "Using IF expressions".
    [
      'IF(m1, m2, m3)',
      { m1: condition, m2: [30, undefined, 0, 0, 30], m3: [0, 0, 20, undefined, 20] },
      [30, 0, 20, undefined, undefined],
    ],
    ['IF(m1, 5, m3)', { m1: condition, m3: [0, 0, 20, undefined, 20] }, [5, 5, 20, undefined, undefined]],
    ['IF(m1, m2, 5)', { m1: condition, m2: [30, undefined, 0, 0, 30] }, [30, 0, 5, 5, undefined]],
    ['IF(m1 < 25, m1)', { m1 }, [undefined, 20, 0, 0]],
    // "Missing values are treated as 0"; a point that would be divided by zero is dropped.
    ['m1 + m2', { m1, m2 }, [50, 20, 20, 0]],
    ['m1 / m2', { m1, m2 }, [1.5, undefined, 0, undefined]],
    ['-m1 + 2 * 10', { m1 }, [-10, 0, 20, 20]],
    ['m1 - MAX(m1)', { m1 }, [0, -10, -30, -30]],
    ['SUM([m1, m2])', { m1, m2 }, [50, 20, 20, 0]],
    ['MAX(METRICS("m"))', { m1, m2, other: [99, 99, 99, 99] }, [30, 20, 20, 0]],
    ['FILL(m2, 7)', { m2 }, [20, 7, 20, 7]],
    ['FILL(m2, REPEAT)', { m2 }, [20, 20, 20, 20]],
    ['DIFF(m1)', { m1 }, [undefined, -10, -20, 0]],
    ['RATE(m1) * 300', { m1: [0, 30, undefined, 90] }, [undefined, 30, undefined, 30]],
    ['TIME_SERIES(AVG(m1))', { m1: [1, 2, 3] }, [2, 2, 2]],
  ] as const)('%s', (expression, metrics, expected) => {
    expect(valueOf(expression, metrics)).toEqual(expected);
  });

  test('an operand that is missing leaves no value in the stricter reading', () => {
    expect(valueOf('m1 + m2', { m1, m2 }, 'gap')).toEqual([50, undefined, 20, undefined]);
  });

  test.each(['m1 +', 'SORT(m1)', 'm1 ? 2', 'm9', '(m1'])('%s is refused by its text', (expression) => {
    expect(() => valueOf(expression, { m1 })).toThrow(expression);
  });
});

test('a percentile, a mean and a count weigh every observation of the period', () => {
  const minutes = [{ value: 10, count: 18 }, undefined, { value: 500, count: 2 }];
  const recorded = new Recorded((minute) => minutes[minute], 0, 3);
  const of = (name: string) => recorded.statistic(name, 0, 3);
  expect(['SampleCount', 'Sum', 'Average', 'Minimum', 'Maximum', 'p50', 'p90', 'p95'].map(of)).toEqual([
    20, 1180, 59, 10, 500, 10, 10, 500,
  ]);
  expect(recorded.statistic('Sum', 1, 2)).toBeUndefined();
  expect(recorded.statistic('Maximum', 1, 3)).toBe(500);
});

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html
test.each([
  ['ALARM(cpu) AND ALARM(disk)', false],
  ['ALARM(cpu) AND NOT ALARM("deployment")', true],
  ['(ALARM(cpu) OR ALARM(disk)) AND OK(network)', false],
  ['INSUFFICIENT_DATA(network) AND (TRUE)', true],
  ['NOT (ALARM(cpu) OR FALSE)', false],
])('the rule %s is %s', (rule, holds) => {
  const states: Record<string, AlarmState> = {
    cpu: 'ALARM',
    disk: 'OK',
    deployment: 'OK',
    network: 'INSUFFICIENT_DATA',
  };
  expect(ruleHolds(rule, (name) => states[name] ?? 'OK')).toBe(holds);
});

/**
 * "WaitPeriod is configured as 2 time units, and ExtensionPeriod as 3": for each unit from t1 on, the state of the composite
 * alarm and that of its suppressor, O or A; and when which actions are taken.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html
 */
test.each([
  ['1: not suppressed after the wait', 'O A A A A', 'O O O O O', { 4: 'ALARM' }],
  ['2: suppressed before the wait expires', 'O A A A A A', 'O O A A A A', {}],
  ['3: back during the wait', 'O A O O O O', 'O O O O O O', { 5: 'OK' }],
  ['4: suppressed already', 'O A A A A', 'A A A A A', {}],
  ['5: not suppressed after the extension', 'O A A A A A A A A A', 'O O A A A O O O O O', { 9: 'ALARM' }],
  ['6: back during the extension', 'O A A A A A O O O O', 'O O A A A O O O O O', { 9: 'OK' }],
])('actions are taken as in example %s', (_, composite, suppressor, expected) => {
  const state = (letter = '') => (letter === 'A' ? 'ALARM' : 'OK');
  const actions = new SuppressedActions({ wait: 2, extension: 3 });
  const suppressors = suppressor.split(' ');
  const taken = composite.split(' ').flatMap((letter, index) => {
    const action = actions.step(index + 1, state(letter), state(suppressors[index]));
    return action === undefined ? [] : [[index + 1, action]];
  });
  expect(Object.fromEntries(taken)).toEqual(expected);
});
