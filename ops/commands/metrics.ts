import { METRIC_NAMESPACE } from '../../core/contract';
import { defineCommand } from '../command';
import { explain } from '../errors';
import { table } from '../print/table';
import { moment, span } from '../print/units';
import { optional, text, time } from '../values';

/** Of a period at most; CloudWatch takes no more in one answer. */
const MAX_METRICS = 500;
const DEFAULT_SINCE_MS = 3 * 3_600_000;

export const metrics = defineCommand({
  name: 'metrics',
  summary: 'Prints the metrics of the platform over a span: their sum, mean, highest and last value',
  effect: 'reads',
  changes: 'nothing.',
  json: 'a list of `{metric, dimensions, sum, mean, maximum, last, lastAt}`',
  finding: 'what --service or --name asks for has published nothing in two weeks, or is misspelt',
  arguments: {},
  options: {
    service: optional(text('function'), 'Only metrics of this function, such as processor'),
    name: optional(text('metric'), 'Only this metric, such as EventLag'),
    since: optional(time(), 'First moment to look at. Default: 3 hours ago'),
  },
  examples: [
    { line: 'metrics --service processor --since 1h', explains: 'How many events were processed in the last hour?' },
    { line: 'metrics --name BackupAge', explains: 'How old is the newest archive?' },
  ],
  async run(context, { service, name, since }) {
    const { clients, target, now, style, signal } = context;
    const client = await clients.cloudWatch();
    const { GetMetricDataCommand, ListMetricsCommand } = await import('@aws-sdk/client-cloudwatch');
    const end = now();
    const start = since === undefined ? new Date(end.getTime() - DEFAULT_SINCE_MS) : new Date(since);
    const Period = Math.max(60, Math.round((end.getTime() - start.getTime()) / 60_000 / 24) * 60);
    const dimension = (Name: string, Value: string) => ({ Name, Value });
    try {
      const { Metrics: found = [] } = await client.send(
        new ListMetricsCommand({
          Namespace: METRIC_NAMESPACE,
          MetricName: name,
          Dimensions: [
            dimension('environment', target.environment),
            ...(service === undefined ? [] : [dimension('service', service)]),
          ],
        }),
        { abortSignal: signal },
      );
      const listed = found.slice(0, Math.floor(MAX_METRICS / 3));
      const queries = listed.flatMap((Metric, index) =>
        (['Sum', 'Average', 'Maximum'] as const).map((Stat) => ({
          Id: `${Stat.toLowerCase()}${index}`,
          MetricStat: { Metric, Stat, Period },
        })),
      );
      if (queries.length === 0) {
        const isNamed = service !== undefined || name !== undefined;
        const lines = [
          `No ${isNamed ? 'such metric' : 'metric'} was published in two weeks${isNamed ? '. Those there are: ops metrics' : ''}`,
        ];
        return { report: [], lines, exit: isNamed ? 'finding' : 'done' };
      }
      const { MetricDataResults: results = [] } = await client.send(
        new GetMetricDataCommand({ StartTime: start, EndTime: end, MetricDataQueries: queries }),
        { abortSignal: signal },
      );
      const valuesOf = (stat: string, index: number) => results.find(({ Id }) => Id === `${stat}${index}`);
      const report = listed.flatMap(({ MetricName: metric = '', Dimensions: dimensions = [] }, index) => {
        const [sums, means, maxima] = ['sum', 'average', 'maximum'].map((stat) => valuesOf(stat, index)?.Values ?? []);
        const last = means?.[0];
        if (last === undefined || sums === undefined || means === undefined || maxima === undefined) return [];
        return [
          {
            metric,
            dimensions: Object.fromEntries(
              dimensions
                .filter(({ Name }) => Name !== 'environment')
                .map(({ Name = '', Value }) => [Name, Value ?? '']),
            ),
            sum: sums.reduce((total, value) => total + value, 0),
            mean: means.reduce((total, value) => total + value, 0) / means.length,
            maximum: Math.max(...maxima),
            last,
            lastAt: valuesOf('average', index)?.Timestamps?.[0]?.toISOString() ?? null,
          },
        ];
      });
      const number = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 2 });
      const rows = report
        .toSorted((a, b) => a.metric.localeCompare(b.metric))
        .map(({ metric, dimensions, sum, mean, maximum, last, lastAt }) => [
          metric,
          Object.values(dimensions).join(' '),
          number(sum),
          number(mean),
          number(maximum),
          number(last),
          moment(lastAt, end),
        ]);
      const headings = ['metric', 'of', 'sum', 'mean', 'highest', 'last', `of ${span(Period)} from`];
      return { report, lines: table(headings, rows, style) };
    } catch (cause) {
      throw explain(cause, 'read the metrics', target.label);
    }
  },
});
