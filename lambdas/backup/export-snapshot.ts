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

/** States of an export that makes another one of the same snapshot needless. */
const UNDERWAY_OR_DONE = ['STARTING', 'IN_PROGRESS', 'COMPLETE'];

/** Where RDS exports to, with which role and key. */
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
  /** False when an earlier run exported this snapshot: no export was started. */
  readonly isNew: boolean;
}

/**
 * Has RDS export the newest snapshot as Parquet: its own, of which there is one a day, or one of AWS Backup, at the
 * frequency of the policy. It takes hours and continues without the function. A snapshot is exported once.
 *
 * @throws OperationError `no_snapshot` when the instance has none, `rds_unavailable` (retryable), also when five exports
 * run in the account, which is the limit of RDS
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
    const existing = await findExport(rds, sourceArn);
    if (existing !== undefined) return { taskIdentifier: existing, snapshotIdentifier, prefix, isNew: false };
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
    // Started already, by a retried request or invocation.
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
