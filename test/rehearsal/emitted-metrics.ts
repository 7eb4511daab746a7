import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { FilterLogEventsCommand, type CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import type { Clients } from './clients';

/** A value that a function wrote into its log, in CloudWatch's embedded metric format. */
export interface EmittedMetric {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Directive {
  readonly Namespace: string;
  readonly Dimensions: readonly (readonly string[])[];
  readonly Metrics: readonly { readonly Name: string }[];
}

type EmbeddedRecord = Readonly<Record<string, unknown>> & {
  readonly _aws?: { readonly CloudWatchMetrics?: readonly Directive[] };
};

/** Lines that a deployed function wrote, oldest first. */
export async function logLines({ lambda, logs }: Clients, functionName: string): Promise<string[]> {
  const { LoggingConfig: { LogGroup: group } = {} } = await lambda.send(
    new GetFunctionConfigurationCommand({ FunctionName: functionName }),
  );
  return linesOf(logs, group ?? `/aws/lambda/${functionName}`);
}

async function linesOf(logs: CloudWatchLogsClient, logGroupName: string): Promise<string[]> {
  const lines: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await logs.send(new FilterLogEventsCommand({ logGroupName, nextToken }));
    lines.push(...(page.events ?? []).map(({ message = '' }) => message));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return lines;
}

/** The metrics in the log of a deployed function. */
export async function emittedMetrics(clients: Clients, functionName: string): Promise<EmittedMetric[]> {
  return (await logLines(clients, functionName)).flatMap(metricsOf);
}

function metricsOf(line: string): EmittedMetric[] {
  let record: EmbeddedRecord;
  try {
    record = JSON.parse(line) as EmbeddedRecord;
  } catch {
    return [];
  }
  const { _aws: embedded } = record;
  return (embedded?.CloudWatchMetrics ?? []).flatMap((directive) =>
    directive.Dimensions.flatMap((names) =>
      directive.Metrics.flatMap(({ Name: name }) =>
        [record[name]].flat().map((value) => ({
          namespace: directive.Namespace,
          name,
          dimensions: Object.fromEntries(names.map((dimension) => [dimension, String(record[dimension])])),
          value: Number(value),
        })),
      ),
    ),
  );
}

/** Does what CloudWatch does with such a record, and the emulator does not: makes the metric. */
export async function publish({ cloudWatch }: Clients, metric: EmittedMetric): Promise<void> {
  await cloudWatch.send(
    new PutMetricDataCommand({
      Namespace: metric.namespace,
      MetricData: [
        {
          MetricName: metric.name,
          Dimensions: Object.entries(metric.dimensions).map(([Name, Value]) => ({ Name, Value })),
          Timestamp: new Date(),
          Value: metric.value,
        },
      ],
    }),
  );
}
