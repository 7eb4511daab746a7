import {
  BackupClient,
  DeleteBackupVaultLockConfigurationCommand,
  DeleteRecoveryPointCommand,
  ListBackupJobsCommand,
  ListCopyJobsCommand,
  ListRecoveryPointsByBackupVaultCommand,
} from '@aws-sdk/client-backup';
import { mockClient } from 'aws-sdk-client-mock';
import { emptyVault } from '../../../lib/stacks/empty-vault';

const backup = mockClient(BackupClient);
const arnOf = (vault: string) => `arn:aws:backup:eu-central-1:111111111111:backup-vault:${vault}`;

beforeEach(() => {
  backup.reset();
  backup.on(DeleteBackupVaultLockConfigurationCommand).resolves({});
  backup.on(ListBackupJobsCommand).resolves({});
});

test.each([
  ['from', { SourceBackupVaultArn: arnOf('vault'), DestinationBackupVaultArn: arnOf('copies') }],
  ['to', { SourceBackupVaultArn: arnOf('other'), DestinationBackupVaultArn: arnOf('vault') }],
])(
  'a copy %s the vault is awaited, and what it reads is not deleted before; one of other vaults is not',
  async (_, vaults) => {
    const states = ['CREATED', 'RUNNING', 'RUNNING'];
    let points = ['read', 'idle'];
    const deleted: string[] = [];
    backup.on(ListCopyJobsCommand).callsFake(({ ByState }: { ByState?: string }) => {
      const [state] = states;
      // As long as a look: both states were asked for.
      if (ByState === 'RUNNING') states.shift();
      const others = { SourceBackupVaultArn: arnOf('other'), DestinationBackupVaultArn: arnOf('copies') };
      return {
        CopyJobs: [
          ...(state === ByState ? [{ ...vaults, SourceRecoveryPointArn: 'read' }] : []),
          { ...others, SourceRecoveryPointArn: 'idle' },
        ],
      };
    });
    backup.on(ListRecoveryPointsByBackupVaultCommand).callsFake(() => ({
      RecoveryPoints: points.map((RecoveryPointArn) => ({ RecoveryPointArn, Status: 'COMPLETED' })),
    }));
    backup.on(DeleteRecoveryPointCommand).callsFake(({ RecoveryPointArn }: { RecoveryPointArn: string }) => {
      deleted.push(`${RecoveryPointArn} of ${states.length}`);
      points = points.filter((arn) => arn !== RecoveryPointArn);
      return {};
    });
    const told: string[] = [];
    expect(await emptyVault(new BackupClient({}), 'vault', { tell: (line) => told.push(line), lookEveryMs: 1 })).toBe(
      2,
    );
    expect(deleted).toEqual(['idle of 2', 'read of 0']);
    expect(told).toEqual([
      'vault: waiting for 1 jobs and 2 recovery points',
      'vault: waiting for 1 jobs and 1 recovery points',
      'vault: waiting for 0 jobs and 1 recovery points',
    ]);
  },
);
