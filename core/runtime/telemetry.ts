import { Logger } from '@aws-lambda-powertools/logger';
import type { LogLevel } from '@aws-lambda-powertools/logger/types';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { METRIC_NAMESPACE } from '../contract';

export { MetricUnit };

/** What a core needs to say what it does. Never hand it a secret, a signature or a whole payload. */
export interface Log {
  info(message: string, details?: Record<string, unknown>): void;
  warn(message: string, details?: Record<string, unknown>): void;
  error(message: string, details?: Record<string, unknown>): void;
}

export interface Telemetry {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Names the request in every line until the next one: a function serves one at a time. */
  readonly beginRequest: (context: { readonly awsRequestId?: string } | undefined) => void;
}

/** JSON logs and EMF metrics of one function; every metric carries the dimensions `environment` and `service`. */
export function createTelemetry(
  service: string,
  environment: { readonly ENVIRONMENT_NAME: string; readonly LOG_LEVEL: LogLevel },
): Telemetry {
  const logger = new Logger({
    serviceName: service,
    logLevel: environment.LOG_LEVEL,
    environment: environment.ENVIRONMENT_NAME,
  });
  const metrics = new Metrics({
    namespace: METRIC_NAMESPACE,
    serviceName: service,
    defaultDimensions: { environment: environment.ENVIRONMENT_NAME },
  });
  const log: Log = {
    info: (message, details = {}) => logger.info(message, details),
    warn: (message, details = {}) => logger.warn(message, details),
    error: (message, details = {}) => logger.error(message, details),
  };
  return {
    log,
    metrics,
    beginRequest: (context) => logger.appendKeys({ requestId: context?.awsRequestId }),
  };
}
