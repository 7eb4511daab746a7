import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BackupClient,
  BackupJobState,
  CopyJobState,
  DeleteBackupVaultLockConfigurationCommand,
  DeleteRecoveryPointCommand,
  paginateListBackupJobs,
  paginateListCopyJobs,
  paginateListRecoveryPointsByBackupVault,
} from '@aws-sdk/client-backup';

/** Looks, ten seconds apart, until the vault has to be empty: two hours, in which RDS also finishes what it has begun. */
const LOOKS = 720;
const LOOK_EVERY_MS = 10_000;

/** States of a job that may still add a recovery point. */
const UNFINISHED = [BackupJobState.CREATED, BackupJobState.PENDING, BackupJobState.RUNNING];
/** States of a copy that still reads a recovery point, or may still add one. */
const COPYING = [CopyJobState.CREATED, CopyJobState.RUNNING];

export interface EmptyVaultOptions {
  /** Takes a line whenever what is left has changed. */
  readonly tell: (line: string) => void;
  /** Milliseconds between two looks. @default 10 s */
  readonly lookEveryMs?: number;
}

/**
 * Lifts the lock of a vault and deletes its recovery points, until none is left and no job can add one. AWS Backup stops no
 * job of RDS and no copy, so each is awaited: also a copy from this vault, which would end half-way and, in the second region,
 * add to a vault that is emptied next.
 *
 * @returns how many recovery points were deleted
 * @throws Error when AWS Backup refuses, as it does once a lock is final, or does not finish within two hours
 */
export async function emptyVault(
  backup: BackupClient,
  vault: string,
  { tell, lookEveryMs = LOOK_EVERY_MS }: EmptyVaultOptions,
): Promise<number> {
  await backup.send(new DeleteBackupVaultLockConfigurationCommand({ BackupVaultName: vault }));
  const deleted = new Set<string>();
  let told = '';
  for (let look = 0; look < LOOKS; look += 1) {
    // Jobs first: the copy that one begins at its end is then among the copies, and what it adds among the points.
    const made = await unfinishedJobs(backup, vault);
    const copies = await unfinishedCopies(backup, vault);
    const jobs = made + copies.length;
    const left = await recoveryPoints(backup, vault);
    if (jobs === 0 && left.length === 0) return deleted.size;
    for (const { arn, isDeletable } of left.filter((point) => !deleted.has(point.arn))) {
      // One that a job is still writing, or a copy reading, can be deleted once that has ended.
      if (!isDeletable || copies.includes(arn)) continue;
      await backup.send(new DeleteRecoveryPointCommand({ BackupVaultName: vault, RecoveryPointArn: arn }));
      deleted.add(arn);
    }
    const progress = `${vault}: waiting for ${jobs} jobs and ${left.length} recovery points`;
    if (progress !== told) tell(progress);
    told = progress;
    await sleep(lookEveryMs);
  }
  throw new Error(
    `${vault}: jobs or recovery points are left after two hours; look at them in AWS Backup, and start again`,
  );
}

async function unfinishedJobs(backup: BackupClient, vault: string): Promise<number> {
  let count = 0;
  for (const ByState of UNFINISHED) {
    const pages = paginateListBackupJobs({ client: backup }, { ByBackupVaultName: vault, ByState });
    for await (const { BackupJobs = [] } of pages) count += BackupJobs.length;
  }
  return count;
}

/** ARNs of the recovery points that copies from or to a vault read. AWS Backup lists them in the region of the source. */
async function unfinishedCopies(backup: BackupClient, vault: string): Promise<string[]> {
  const concerns = (arn = '') => arn.endsWith(`:backup-vault:${vault}`);
  const found: string[] = [];
  for (const ByState of COPYING) {
    for await (const { CopyJobs = [] } of paginateListCopyJobs({ client: backup }, { ByState })) {
      for (const { SourceBackupVaultArn, DestinationBackupVaultArn, SourceRecoveryPointArn = '' } of CopyJobs) {
        if (concerns(SourceBackupVaultArn) || concerns(DestinationBackupVaultArn)) found.push(SourceRecoveryPointArn);
      }
    }
  }
  return found;
}

async function recoveryPoints(backup: BackupClient, vault: string) {
  const found: { readonly arn: string; readonly isDeletable: boolean }[] = [];
  const pages = paginateListRecoveryPointsByBackupVault({ client: backup }, { BackupVaultName: vault });
  for await (const { RecoveryPoints = [] } of pages) {
    for (const { RecoveryPointArn: arn = '', Status } of RecoveryPoints) {
      found.push({ arn, isDeletable: Status !== 'CREATING' && Status !== 'DELETING' });
    }
  }
  return found;
}
