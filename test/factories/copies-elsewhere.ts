/** What S3 and AWS Backup answer about copies. */

/** Of a bucket without replication. */
export const notReplicated = Object.assign(new Error('none'), { name: 'ReplicationConfigurationNotFoundError' });

/** Of a bucket that is replicated to others. */
export const replicatedTo = (...Destinations: { Bucket: string; Account?: string }[]) => ({
  ReplicationConfiguration: {
    Role: 'arn:role',
    Rules: Destinations.map((Destination) => ({ Status: 'Enabled' as const, Destination })),
  },
});

/** Of a plan that copies recovery points to a region. */
export const planTo = (region: string) => ({
  BackupPlan: {
    BackupPlanName: 'billing',
    Rules: [
      {
        RuleName: 'daily',
        TargetBackupVaultName: 'vault',
        CopyActions: [{ DestinationBackupVaultArn: `arn:aws:backup:${region}:111111111111:backup-vault:copies` }],
      },
    ],
  },
});
