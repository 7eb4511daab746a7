import type { AlarmDefinition } from '../alarms/alarm-definition';
import type { AlarmMetric } from '../alarms/alarm-metric';

/** One line for each value of the dimensions, found by CloudWatch itself, as apps and types are not known when we deploy. */
export interface SearchedLines {
  /** Stem of the function that publishes the metric. */
  readonly stem: string;
  /** Name of the metric. */
  readonly name: string;
  /** Dimensions besides the environment and the service, of which each combination becomes a line. */
  readonly by: readonly string[];
  /** How the values of a period are summarised. */
  readonly statistic: 'Sum' | 'Maximum';
}

/** One line for each function, whose names CloudWatch finds. */
export interface FunctionLines {
  /** Name of the metric in `AWS/Lambda`. */
  readonly lambda: 'Errors' | 'Throttles' | 'Duration' | 'ConcurrentExecutions' | 'Invocations';
  /** How the values of a period are summarised. */
  readonly statistic: 'Sum' | 'Maximum' | 'p95';
}

export interface Line {
  /** Name in the legend. */
  readonly label: string;
  /** What it shows. */
  readonly metric: AlarmMetric;
}

/** A graph, or the newest value of each line as a number. */
export interface Widget {
  /** Heading of the widget. */
  readonly title: string;
  /** @default 'graph' */
  readonly shows?: 'graph' | 'numbers';
  /** What it shows, in the order of the legend. */
  readonly lines: readonly (Line | SearchedLines | FunctionLines)[];
  /** Alarm whose thresholds are drawn. @default - none */
  readonly alarm?: AlarmDefinition;
  /** Divides the thresholds of the alarm, as the lines are divided: 3600 for hours. @default 1 */
  readonly divisor?: number;
  /** Seconds that one value summarises. @default 300 */
  readonly periodSeconds?: number;
  /** Unit of the values, for the axis. */
  readonly unit: string;
  /** Columns of 24. @default 6 */
  readonly width?: number;
}

/** Widgets that answer one question. */
export interface Section {
  /** The question, as a heading. */
  readonly title: string;
  /** What to make of it, in a sentence. */
  readonly hint: string;
  /** From left to right, and then down. */
  readonly widgets: readonly Widget[];
}

/** Finds an alarm of the environment by its name. */
export type AlarmNamed = (name: string) => AlarmDefinition | undefined;

/** The value that an alarm watches, with its thresholds. */
export function ofAlarm(title: string, unit: string, alarm: AlarmDefinition | undefined): Widget {
  if (alarm === undefined) throw new Error(`${title}: the alarm does not exist`);
  return { title, unit, alarm, lines: [{ label: alarm.measure, metric: alarm.metric }] };
}

/** A metric in another unit: 3600 turns seconds into hours. */
export function divided(metric: AlarmMetric, divisor: number, label: string): AlarmMetric {
  return { from: 'math', label, expression: `value / ${divisor}`, metrics: { value: metric } };
}

/** Names of the metrics of functions that widgets show. */
export function functionMetricsOf(sections: readonly Section[]): Set<string> {
  const names = (metric: AlarmMetric): string[] => {
    if (metric.from === 'math') return Object.values(metric.metrics).flatMap(names);
    return metric.from === 'function' ? [metric.name] : [];
  };
  const lines = sections.flatMap(({ widgets }) => widgets).flatMap((widget) => widget.lines);
  return new Set(
    lines.flatMap((line) => {
      if ('metric' in line) return names(line.metric);
      return 'stem' in line ? [line.name] : [];
    }),
  );
}
