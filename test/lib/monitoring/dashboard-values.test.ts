import { evaluate, isSeries, type Series } from './cloudwatch/metric-math';
import { dashboardsOf, type WidgetBody } from './dashboard-support';
import { alarmsOfTemplate } from './alarm-support';

/** The expressions of the dashboards, computed as CloudWatch does from the operands that their widgets name. */
interface Line {
  readonly id?: string;
  readonly expression?: string;
}

const optionsOf = ({ properties: { metrics = [] } }: WidgetBody): Line[] =>
  metrics.map((metric) => (metric.at(-1) ?? {}) as Line);
const WIDGETS = Object.entries(dashboardsOf('production')).flatMap(([name, widgets]) =>
  widgets.flatMap((widget) =>
    optionsOf(widget).flatMap(({ expression }) =>
      // Which lines a search finds, only CloudWatch knows.
      expression === undefined || expression.startsWith('SEARCH')
        ? []
        : [{ title: widget.properties.title ?? name, expression, widget }],
    ),
  ),
);

/** The values of an expression in three days, from what each operand had in them, by the end of its id. */
function valuesOf({ expression, widget }: (typeof WIDGETS)[number], given: (operand: string) => Series): Series {
  const lines = optionsOf(widget);
  const metrics = lines.flatMap(({ id, expression: text }) => (id !== undefined && text === undefined ? [id] : []));
  const context = { metrics, periodSeconds: 86_400, length: 3 };
  const values = new Map(metrics.map((id) => [id, given(id)]));
  const inner = lines.filter(({ id, expression: text }) => id !== undefined && text !== undefined);
  for (const { id = '', expression: text = '' } of inner)
    values.set(id, evaluate(text, { ...context, values }) as Series);
  const result = evaluate(expression, { ...context, values });
  return isSeries(result) ? result : [];
}

test.each(WIDGETS)('the widget "$title" shows a value: $expression', (line) => {
  const last = valuesOf(line, () => [100, 90, 80]).at(-1);
  expect(last).toEqual(expect.any(Number));
  expect(Number.isFinite(last)).toBe(true);
});

const named = (title: string) => {
  const line = WIDGETS.find((one) => one.title === title);
  if (line === undefined) throw new Error(`no expression in ${title}`);
  return line;
};

test('the dashboards show what is true of their operands', () => {
  const day = (values: Readonly<Record<string, Series>>) => (id: string) =>
    values[id.replace(/^l\d+_/, '')] ?? [undefined, undefined, undefined];
  const none = [undefined, undefined, undefined];
  expect(valuesOf(named('Failures'), day({ received: [100, 100, 10], rejected: [2, 12, 5], failed: none }))).toEqual([
    2, 12, 0,
  ]);
  // A disk that loses 1 GB a day and has 59 left; one that empties has no such day.
  expect(valuesOf(named('Days until the disk is full'), day({ free: [61e9, 60e9, 59e9] })).at(-1)).toBeCloseTo(59);
  expect(valuesOf(named('Days until the disk is full'), day({ free: [59e9, 60e9, 61e9] })).at(-1)).toBeUndefined();
  expect(valuesOf(named('Last reconciliation'), day({ value: [3_600, 7_200, none[0]] }))).toEqual([1, 2, undefined]);
});

test('no two alarms of a severity have the same metric, statistic and threshold', () => {
  const meanings = Object.entries(alarmsOfTemplate('production')).map(([name, alarm]) => {
    const { MetricName, Namespace, Dimensions, Statistic, ExtendedStatistic, Metrics, ComparisonOperator } = alarm;
    const severity = /-(warning|critical)$/.exec(name)?.[1] ?? '';
    const watched = { MetricName, Namespace, Dimensions, Statistic, ExtendedStatistic, Metrics, ComparisonOperator };
    return [JSON.stringify([severity, watched]).replaceAll(/"Label":"[^"]*"/g, ''), name] as const;
  });
  const first = new Map(meanings.toReversed());
  expect(meanings.filter(([meaning, name]) => first.get(meaning) !== name).map(([, name]) => name)).toEqual([]);
});
