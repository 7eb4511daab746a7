import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { Client, ClientBase } from 'pg';
import type { DatabaseName } from '../../core/contract';
import type { Residency } from '../../core/residency/contract';
import { messageOf } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import type { BoundedTask } from './bounded';
import { scanLogs } from './cards/log-scan';
import { scanCards } from './cards/scan';
import { MAINTENANCE_TASKS, type MaintenanceTask, type TaskOutcome, type TaskRecord } from './contract';
import { checkIndexes } from './indexes';
import { beginTask, finishTask, lastResult, openRun, saveProgress } from './records';
import { rebuildIndexes } from './reindex';
import type { ScannedLogs } from './scanned-logs';
import { measureSizes } from './sizes';
import { vacuumTables } from './vacuum';

export interface RunDependencies {
  /** A connection of its own: the lock of the run is released when it closes. */
  readonly client: Client;
  /** Another connection of the same user; it cancels a statement of the run that other sessions wait for. */
  readonly watcher: Client;
  readonly clock: () => Date;
  /** Milliseconds that are left for the work. */
  readonly remainingMs: () => number;
  readonly log: Log;
  /** Runs `work` with a connection that may read every table and nothing else, for the task `cards`. */
  readonly withReader: <T>(work: (client: ClientBase) => Promise<T>) => Promise<T>;
  /** The logs of the stacks, for the task `logs`. */
  readonly logs: LogSource;
  /** Looks up in which regions data is, for the task `residency`. */
  readonly lookUpRegions: () => Promise<Residency>;
}

/** Where logs are read. */
export interface LogSource {
  readonly client: CloudWatchLogsClient;
  readonly listGroups: () => Promise<ScannedLogs>;
}

export interface RunOptions {
  readonly database: DatabaseName;
  readonly tasks: readonly MaintenanceTask[];
  /** Look, change and record nothing. */
  readonly dryRun: boolean;
}

/**
 * Runs tasks on a database, one after the other, in their order. A task that fails is recorded, and the others still run. A
 * run that is killed leaves whole tables and indexes: the server ends its statement within seconds, and what it left of a
 * rebuild is removed by the next one.
 *
 * @throws OperationError `maintenance_running` (retryable), `unmigrated_database`
 */
export async function runTasks(dependencies: RunDependencies, options: RunOptions): Promise<TaskRecord[]> {
  const { client, clock, log } = dependencies;
  // A function that was killed closes no connection: the server looks whether it is still there.
  await client.query(`SET client_connection_check_interval = '5s'`);
  // The pace of autovacuum: without it a vacuum by hand takes all that the disks have.
  await client.query(`SET vacuum_cost_delay = '2ms'; SET client_min_messages = 'warning'`);
  await openRun(client, clock(), options.dryRun);
  const records: TaskRecord[] = [];
  for (const task of MAINTENANCE_TASKS.filter((known) => options.tasks.includes(known))) {
    const record = await runTask(dependencies, options, task);
    if (record.outcome === 'failed') log.error(`Maintenance task failed: ${task}`, { error: record.error });
    records.push(record);
  }
  return records;
}

async function runTask(
  { client, watcher, clock, remainingMs, ...sources }: RunDependencies,
  { database, dryRun }: RunOptions,
  task: MaintenanceTask,
): Promise<TaskRecord> {
  const startedAt = clock();
  const id = dryRun ? undefined : await beginTask(client, task, startedAt);
  const end = async (outcome: TaskOutcome, result: unknown, error: string | null): Promise<TaskRecord> => {
    const at = clock();
    if (id !== undefined) await finishTask(client, id, { at, outcome, result, error });
    const durationMs = at.getTime() - startedAt.getTime();
    return { task, startedAt: startedAt.toISOString(), durationMs, outcome, error, result } as TaskRecord;
  };
  let result: object;
  try {
    result = await work({ client, watcher, dryRun, remainingMs, ...sources }, database, task, { startedAt, id });
  } catch (error) {
    return end('failed', null, messageOf(error));
  }
  const isPartial = 'skipped' in result && Array.isArray(result.skipped) && result.skipped.length > 0;
  return end(isPartial ? 'partial' : 'done', result, null);
}

async function work(
  bounds: BoundedTask & Pick<RunDependencies, 'logs' | 'lookUpRegions' | 'withReader'>,
  database: DatabaseName,
  task: MaintenanceTask,
  { startedAt: now, id }: { readonly startedAt: Date; readonly id: string | undefined },
): Promise<object> {
  const { client, remainingMs, withReader, logs, lookUpRegions } = bounds;
  const save = async (result: object) => (id === undefined ? undefined : saveProgress(client, id, result));
  switch (task) {
    case 'cards': {
      const last = await lastResult(client, 'cards');
      return withReader((reader) => scanCards({ client: reader, now, remainingMs, last, save }));
    }
    case 'logs': {
      const scanned = await logs.listGroups();
      const last = await lastResult(client, 'logs');
      return scanLogs({ client: logs.client, ...scanned, now, remainingMs, last, save });
    }
    case 'residency':
      return lookUpRegions();
    case 'sizes':
      return measureSizes(client, now);
    case 'vacuum':
      return vacuumTables(bounds);
    case 'indexes':
      return checkIndexes(client, database, now);
    default:
      return rebuildIndexes(bounds);
  }
}
