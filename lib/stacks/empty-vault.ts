import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BackupClient,
  DeleteBackupVaultLockConfigurationCommand,
  DeleteRecoveryPointCommand,
  paginateListBackupJobs,
  paginateListRecoveryPointsByBackupVault,
  StopBackupJobCommand,
} from '@aws-sdk/client-backup';

/** Looks, ten seconds apart, until what was deleted has to be gone: an hour. */
const LOOKS = 360;
const LOOK_EVERY_MS = 10_000;

/**
 * Deletes every recovery point of a vault: lifts its lock, stops the jobs that would add one, and waits until all are gone.
 *
 * @param lookEveryMs @default 10 s
 * @returns how many recovery points were deleted
 * @throws Error when AWS Backup refuses, as it does once a lock is final, or does not finish within an hour
 */
export async function emptyVault(backup: BackupClient, vault: string, lookEveryMs = LOOK_EVERY_MS): Promise<number> {
  await backup.send(new DeleteBackupVaultLockConfigurationCommand({ BackupVaultName: vault }));
  const jobs = paginateListBackupJobs({ client: backup }, { ByBackupVaultName: vault });
  for await (const { BackupJobs = [] } of jobs) {
    const running = BackupJobs.filter(({ State }) => State === 'CREATED' || State === 'PENDING' || State === 'RUNNING');
    for (const { BackupJobId } of running) await backup.send(new StopBackupJobCommand({ BackupJobId }));
  }
  const deleted = new Set<string>();
  for (let look = 0; look < LOOKS; look += 1) {
    const left = await recoveryPoints(backup, vault);
    if (left.length === 0) return deleted.size;
    for (const { arn, isDeletable } of left.filter((point) => !deleted.has(point.arn))) {
      // One that a job is still writing can be deleted once that has stopped.
      if (!isDeletable) continue;
      await backup.send(new DeleteRecoveryPointCommand({ BackupVaultName: vault, RecoveryPointArn: arn }));
      deleted.add(arn);
    }
    await sleep(lookEveryMs);
  }
  throw new Error(`${vault}: recovery points are left after an hour; look at them in AWS Backup, and start again`);
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
