import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { Log } from '../../core/runtime/telemetry';
import type { LogSource } from '../../lambdas/maintenance/run';

/** A log that discards everything. */
export const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** No log groups at all. */
export const noLogs: LogSource = {
  client: new CloudWatchLogsClient({}),
  listGroups: () => Promise.resolve({ groups: [], instances: new Map(), uncovered: [] }),
};

/** For runs that do not look up in which regions data is. */
export const noRegions = (): Promise<never> => Promise.reject(new Error('This run looks up no regions'));

/** For runs without a scan for card numbers. */
export const noReader = (): Promise<never> => Promise.reject(new Error('This run reads no tables for card numbers'));
