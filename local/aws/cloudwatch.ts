import type { HttpServer } from '../runtime/http-server';
import { linesOf, type FunctionLog } from './function-logs';
import { ServiceError, startJsonService, type ServiceInput } from './json-service';

const MAX_REQUEST_BYTES = 1 << 20;

interface Dimension {
  readonly Name: string;
  readonly Value?: string;
}

/** A metric with its dimensions, as requests and answers name it. */
interface Metric {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions: readonly Dimension[];
}

interface DataPoint extends Metric {
  readonly timestamp: number;
  readonly values: readonly number[];
}

/** The part of a log line that CloudWatch takes metrics from. */
interface EmbeddedMetrics {
  readonly Timestamp: number;
  readonly CloudWatchMetrics: readonly {
    readonly Namespace: string;
    readonly Dimensions: readonly (readonly string[])[];
    readonly Metrics: readonly { readonly Name: string }[];
  }[];
}

interface MetricQuery {
  readonly Id: string;
  readonly MetricStat?: { readonly Metric: Partial<Metric>; readonly Stat: string; readonly Period: number };
}

/**
 * Serves the metrics that the functions log, as CloudWatch makes them of the embedded metric format: ListMetrics, and
 * GetMetricData without expressions. There are no alarms.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export async function startCloudWatch(logs: readonly FunctionLog[]): Promise<HttpServer> {
  return startJsonService({
    maxRequestBytes: MAX_REQUEST_BYTES,
    act(action, input) {
      if (action === 'ListMetrics') return listMetrics(logs, input);
      if (action === 'GetMetricData') return getMetricData(logs, input);
      if (action === 'DescribeAlarms') {
        const reason =
          'The local platform has no alarms: nothing evaluates them. On AWS, those that are raised are listed.';
        throw new ServiceError('InvalidAction', reason);
      }
      throw new ServiceError(
        'InvalidAction',
        `Of CloudWatch, ListMetrics and GetMetricData are served here, and no ${action}.`,
      );
    },
  });
}

function* pointsOf(logs: readonly FunctionLog[], from: number, to: number): Generator<DataPoint> {
  for (const log of logs) {
    for (const { content } of linesOf(log)) {
      const embedded = content?.['_aws'] as EmbeddedMetrics | undefined;
      if (embedded === undefined || embedded.Timestamp < from || embedded.Timestamp >= to) continue;
      for (const { Namespace, Dimensions, Metrics } of embedded.CloudWatchMetrics) {
        for (const { Name: MetricName } of Metrics) {
          const values = [content?.[MetricName]].flat().map(Number);
          for (const names of Dimensions) {
            const dimensions = names.toSorted().map((Name) => ({ Name, Value: String(content?.[Name]) }));
            yield { Namespace, MetricName, Dimensions: dimensions, timestamp: embedded.Timestamp, values };
          }
        }
      }
    }
  }
}

function keyOf({ Namespace, MetricName, Dimensions = [] }: Partial<Metric>): string {
  const named = Dimensions.map(({ Name, Value }) => [Name, Value] as const).toSorted(([a], [b]) => a.localeCompare(b));
  return JSON.stringify([Namespace, MetricName, named]);
}

function listMetrics(logs: readonly FunctionLog[], input: ServiceInput): object {
  const { Namespace, MetricName, Dimensions = [] } = input as Partial<Metric>;
  const found = new Map<string, Metric>();
  for (const point of pointsOf(logs, 0, Infinity)) {
    const wanted =
      (Namespace === undefined || point.Namespace === Namespace) &&
      (MetricName === undefined || point.MetricName === MetricName) &&
      Dimensions.every(({ Name, Value }) =>
        point.Dimensions.some((own) => own.Name === Name && (Value === undefined || own.Value === Value)),
      );
    if (!wanted) continue;
    const metric = { Namespace: point.Namespace, MetricName: point.MetricName, Dimensions: point.Dimensions };
    found.set(keyOf(metric), metric);
  }
  return { Metrics: [...found.values()] };
}

const STATISTICS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  Sum: sumOf,
  Average: (values) => sumOf(values) / values.length,
  Maximum: (values) => values.reduce((a, b) => Math.max(a, b), -Infinity),
  Minimum: (values) => values.reduce((a, b) => Math.min(a, b), Infinity),
  SampleCount: (values) => values.length,
};

function sumOf(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function getMetricData(logs: readonly FunctionLog[], input: ServiceInput): object {
  const [from, to] = [millisecondsIn(input, 'StartTime'), millisecondsIn(input, 'EndTime')];
  const queries = (input.MetricDataQueries ?? []) as readonly MetricQuery[];
  const wanted = new Set(queries.map(({ MetricStat }) => keyOf(MetricStat?.Metric ?? {})));
  const points = new Map<string, DataPoint[]>();
  for (const point of pointsOf(logs, from, to)) {
    const key = keyOf(point);
    if (!wanted.has(key)) continue;
    const known = points.get(key) ?? [];
    known.push(point);
    points.set(key, known);
  }
  const ascending = input.ScanBy === 'TimestampAscending';
  return { MetricDataResults: queries.map((query) => resultOf(query, points, ascending)) };
}

function millisecondsIn(input: ServiceInput, field: string): number {
  const value = input[field];
  const time = typeof value === 'number' ? value * 1000 : Date.parse(String(value));
  if (Number.isNaN(time))
    throw new ServiceError('InvalidParameterValue', `${field}: expected a time, got ${String(value)}`);
  return time;
}

function resultOf(
  { Id, MetricStat }: MetricQuery,
  points: ReadonlyMap<string, DataPoint[]>,
  ascending: boolean,
): object {
  const statistic = STATISTICS[MetricStat?.Stat ?? ''];
  if (MetricStat === undefined || statistic === undefined) {
    const known = Object.keys(STATISTICS).join(', ');
    throw new ServiceError('ValidationError', `${Id}: here a query has a MetricStat, of ${known}; no expressions`);
  }
  const periods = new Map<number, number[]>();
  for (const { timestamp, values } of points.get(keyOf(MetricStat.Metric)) ?? []) {
    const start = Math.floor(timestamp / 1000 / MetricStat.Period) * MetricStat.Period;
    const known = periods.get(start) ?? [];
    known.push(...values);
    periods.set(start, known);
  }
  const sorted = [...periods].toSorted(([a], [b]) => (ascending ? a - b : b - a));
  return {
    Id,
    Label: MetricStat.Metric.MetricName,
    StatusCode: 'Complete',
    Timestamps: sorted.map(([start]) => start),
    Values: sorted.map(([, values]) => statistic(values)),
  };
}
