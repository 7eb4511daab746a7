import {
  ExportTaskAlreadyExistsFault,
  paginateDescribeExportTasks,
  StartExportTaskCommand,
  type RDSClient,
} from '@aws-sdk/client-rds';
import { slotToKey, type Slot } from '../../core/archive/slot';
import type { DatabaseName } from '../../core/contract';
import { OperationError } from '../../core/runtime/errors';
import { EXPORT_PREFIX } from '../../core/archive/contract';
import { newestSnapshot } from './protection';
import { rdsFailed, type RdsInstance } from './rds-instance';

/** States of an export that will have, or has, what another one would bring. */
const UNDERWAY_OR_DONE = ['STARTING', 'IN_PROGRESS', 'COMPLETE'];

/** Where RDS exports to, and as whom. */
export interface ExportTarget {
  readonly instance: RdsInstance;
  readonly bucket: string;
  /** Role that RDS assumes to write there. */
  readonly roleArn: string;
  /** Key that RDS encrypts with. */
  readonly keyArn: string;
}

export interface StartedExport {
  readonly taskIdentifier: string;
  readonly snapshotIdentifier: string;
  /** Of the objects in the bucket. */
  readonly prefix: string;
  /** False when an earlier run had this snapshot exported: nothing was begun. */
  readonly isNew: boolean;
}

/**
 * Has RDS export the newest snapshot as Parquet: its own, of which there is one a day, or AWS Backup's, which are as
 * frequent as the policy says. It takes hours and goes on without the function. A snapshot is exported once.
 *
 * @throws OperationError `no_snapshot` when the instance has none, `rds_unavailable` (retryable), also when five exports
 * run in the account, which is RDS's limit
 */
export async function exportSnapshot(target: ExportTarget, database: DatabaseName, slot: Slot): Promise<StartedExport> {
  const { rds, identifier: instance } = target.instance;
  const snapshot = await newestSnapshot(target.instance, ['automated', 'awsbackup']).catch((cause: unknown) => {
    throw rdsFailed(`list the snapshots of ${instance}`, cause);
  });
  const { DBSnapshotArn: sourceArn, DBSnapshotIdentifier: snapshotIdentifier = '' } = snapshot ?? {};
  if (sourceArn === undefined) {
    throw new OperationError(
      'no_snapshot',
      `Instance ${instance} has no complete snapshot to export: check that its automated backups are on, and the jobs of AWS Backup`,
    );
  }
  const prefix = `${EXPORT_PREFIX}${database}`;
  const taskIdentifier = `${database}-${slotToKey(slot).toLowerCase()}`;
  try {
    const former = await findExport(rds, sourceArn);
    if (former !== undefined) return { taskIdentifier: former, snapshotIdentifier, prefix, isNew: false };
    await rds.send(
      new StartExportTaskCommand({
        ExportTaskIdentifier: taskIdentifier,
        SourceArn: sourceArn,
        S3BucketName: target.bucket,
        S3Prefix: prefix,
        IamRoleArn: target.roleArn,
        KmsKeyId: target.keyArn,
      }),
    );
  } catch (cause) {
    // A retried call, or a retried invocation, started it before.
    if (!(cause instanceof ExportTaskAlreadyExistsFault))
      throw rdsFailed(`export snapshot ${snapshotIdentifier}`, cause);
  }
  return { taskIdentifier, snapshotIdentifier, prefix, isNew: true };
}

async function findExport(rds: RDSClient, sourceArn: string): Promise<string | undefined> {
  for await (const { ExportTasks = [] } of paginateDescribeExportTasks({ client: rds }, { SourceArn: sourceArn })) {
    const found = ExportTasks.find(({ Status = '' }) => UNDERWAY_OR_DONE.includes(Status));
    if (found) return found.ExportTaskIdentifier;
  }
  return undefined;
}
