import type { Context } from 'aws-lambda';

/** A record of metrics in the embedded metric format, as CloudWatch takes it from the log. */
export type EmfRecord = Readonly<Record<string, unknown>> & {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
    }[];
  };
};

/** One metric as CloudWatch files it: its dimensions with their values, its values, its unit. */
export interface EmittedMetric {
  readonly name: string;
  readonly dimensions: Readonly<Record<string, unknown>>;
  readonly unit: string;
  readonly value: unknown;
}

export interface Invocation {
  readonly result: Promise<unknown>;
  /** Metrics that the invocation printed; complete once it ended. */
  readonly records: readonly EmfRecord[];
  /** Lines other than metrics. */
  readonly logLines: readonly string[];
}

interface HandlerModule {
  readonly handler: (event: never, context: Context) => Promise<unknown>;
}

export interface StartedFunction {
  /** @param remainingMs milliseconds left of the function's time. @default a minute */
  invoke(event: unknown, remainingMs?: number, alias?: string): Invocation;
}

/**
 * Starts a function as Lambda does: its module is loaded afresh with the environment in place, which stays until
 * `jest.restoreAllMocks()`, because clients of AWS look up their endpoints when they are first used.
 */
export async function startFunction(
  load: () => Promise<HandlerModule>,
  environment: Readonly<Record<string, string>>,
): Promise<StartedFunction> {
  jest.replaceProperty(process, 'env', { ...process.env, ...environment });
  let started: HandlerModule | undefined;
  await jest.isolateModulesAsync(async () => {
    started = await load();
  });
  const { handler } = started ?? {};
  if (handler === undefined) throw new Error('The module has no handler');
  return {
    invoke(event, remainingMs = 60_000, alias) {
      const records: EmfRecord[] = [];
      const logLines: string[] = [];
      const keep = (chunk: string | Uint8Array): boolean => {
        for (const line of String(chunk).split('\n').filter(Boolean)) {
          if (line.includes('"_aws"')) records.push(JSON.parse(line) as EmfRecord);
          else logLines.push(line);
        }
        return true;
      };
      const outputs = [process.stdout, process.stderr].map((stream) =>
        jest.spyOn(stream, 'write').mockImplementation(keep),
      );
      const context = {
        getRemainingTimeInMillis: () => remainingMs,
        awsRequestId: 'request-1',
        invokedFunctionArn: ['arn:aws:lambda:eu-central-1:000000000000:function:x', alias ?? []].flat().join(':'),
      } as Context;
      const result = handler(event as never, context).finally(() => {
        for (const output of outputs) output.mockRestore();
      });
      // The caller finds the error in the result.
      result.catch(() => undefined);
      return { result, records, logLines };
    },
  };
}

/** Every metric of the records, once for each set of dimensions. */
export function emittedMetrics(records: readonly EmfRecord[]): EmittedMetric[] {
  return records.flatMap((record) =>
    record['_aws'].CloudWatchMetrics.flatMap(({ Dimensions: sets, Metrics: metrics }) =>
      sets.flatMap((set) =>
        metrics.map(({ Name: name, Unit: unit }) => ({
          name,
          dimensions: Object.fromEntries(set.map((dimension) => [dimension, record[dimension]])),
          unit,
          value: record[name],
        })),
      ),
    ),
  );
}
