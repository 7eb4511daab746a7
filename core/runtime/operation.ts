import type { Metrics } from '@aws-lambda-powertools/metrics';
import type { Context } from 'aws-lambda';
import type * as z from 'zod';
import { DATABASE_NAMES } from '../contract';
import { assertAdmitted } from './admission';
import type { OperationContract } from './contract';
import { messageOf, OperationError } from './errors';
import { readRequest } from './request';
import { MetricUnit, type Telemetry } from './telemetry';

/** The time of one invocation. */
export interface Invocation {
  /** Milliseconds left for the work; negative once the reserve is being used up. */
  readonly remainingMs: () => number;
  /** Aborted when no time is left for the work. */
  readonly stop: AbortSignal;
}

/** What the log says about a report. */
export interface ReportSummary {
  readonly message: string;
  /** @default info */
  readonly level?: 'info' | 'error';
  /** @default the whole report */
  readonly details?: Record<string, unknown>;
}

export interface OperationDefinition<Request, Report> {
  /** Name in the log: `Backup` logs "Backup finished" or "Backup failed". */
  readonly name: string;
  readonly telemetry: Telemetry;
  /** Milliseconds kept of the function's time to save and answer where it stopped. @default 0 */
  readonly reserveMs?: number;
  /** The metrics carry the database of the request as a dimension. @default false */
  readonly byDatabase?: boolean;
  readonly run: (request: Request, invocation: Invocation) => Promise<Report>;
  /** @default "… finished" with the whole report */
  readonly summarise?: (report: Report, request: Request) => ReportSummary;
  /** Adds the metrics of an invocation that succeeded. @default none */
  readonly measure?: (metrics: Metrics, report: Report, request: Request) => void;
  /** Metric that is counted when the invocation fails; the request is absent when it is malformed. @default none */
  readonly failedMetric?: string | ((request: Request | undefined) => string | undefined);
  /** Metric for the milliseconds of the invocation, however it ends. @default none */
  readonly durationMetric?: string;
}

type RequestOf<Contract extends OperationContract> = z.infer<Contract['request']>;
type ReportOf<Contract extends OperationContract> = z.infer<Contract['report']>;

/**
 * The handler of a function that is invoked with a request and answers with a report: refuses what the caller's alias does
 * not admit, parses the request, runs the operation, logs the report, and publishes the metrics once, however the invocation ends.
 *
 * An error is logged with its code, counted once, and thrown again under the name of its code, which Lambda reports as
 * `errorType`. What the platform did not throw on purpose becomes `unexpected` and is logged with its stack.
 */
export function operation<Contract extends OperationContract>(
  contract: Contract,
  definition: OperationDefinition<RequestOf<Contract>, ReportOf<Contract>>,
): (
  event: unknown,
  context: Pick<Context, 'getRemainingTimeInMillis'> & Partial<Pick<Context, 'awsRequestId' | 'invokedFunctionArn'>>,
) => Promise<ReportOf<Contract>> {
  const { name, telemetry, reserveMs = 0, run } = definition;
  const { log, metrics } = telemetry;
  return async (event, context) => {
    const startedMs = performance.now();
    telemetry.beginRequest(context);
    let request: RequestOf<Contract> | undefined;
    if (definition.byDatabase) addDatabase(metrics, event);
    try {
      assertAdmitted(contract, context.invokedFunctionArn, event);
      request = readRequest(contract.request, event) as RequestOf<Contract>;
      const report = await run(request, invocationOf(context, reserveMs));
      const summary = definition.summarise?.(report, request) ?? { message: `${name} finished` };
      log[summary.level ?? 'info'](summary.message, summary.details ?? { ...(report as object) });
      definition.measure?.(metrics, report, request);
      return report;
    } catch (cause) {
      const error = asOperationError(cause);
      const details = { ...identifying(request), code: error.code, error: error.message };
      log.error(`${name} failed`, error.code === 'unexpected' ? { ...details, stack: stackOf(cause) } : details);
      const { failedMetric } = definition;
      const metric = typeof failedMetric === 'function' ? failedMetric(request) : failedMetric;
      if (metric !== undefined) metrics.addMetric(metric, MetricUnit.Count, 1);
      throw error;
    } finally {
      const { durationMetric } = definition;
      if (durationMetric) metrics.addMetric(durationMetric, MetricUnit.Milliseconds, performance.now() - startedMs);
      if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
      else metrics.clearDimensions();
    }
  };
}

function invocationOf(context: Pick<Context, 'getRemainingTimeInMillis'>, reserveMs: number): Invocation {
  const remainingMs = () => context.getRemainingTimeInMillis() - reserveMs;
  return { remainingMs, stop: AbortSignal.timeout(Math.max(0, remainingMs())) };
}

/** Also of a malformed request: the alarms look at the failures of each database. */
function addDatabase(metrics: Metrics, event: unknown): void {
  const { database } = (event ?? {}) as { readonly database?: unknown };
  const name = DATABASE_NAMES.find((known) => known === database);
  if (name !== undefined) metrics.addDimension('database', name);
}

/** The plain fields of a request. What is nested, such as rules, would fill the log. */
function identifying(request: unknown): Record<string, unknown> {
  const fields = Object.entries(request ?? {}) as [string, unknown][];
  return Object.fromEntries(fields.filter(([, value]) => typeof value !== 'object'));
}

function asOperationError(cause: unknown): OperationError {
  return cause instanceof OperationError ? cause : new OperationError('unexpected', messageOf(cause), { cause });
}

function stackOf(cause: unknown): string | undefined {
  return cause instanceof Error ? cause.stack : undefined;
}
