/** Wildcards that policies grant, and why none of them can be exact. */
export interface Justified {
  /** Logical ids of the resources whose policies grant it, without the hashes at their ends. */
  readonly of: RegExp;
  readonly actions: readonly string[];
  /** As `statementsIn` writes them. */
  readonly resources: readonly string[];
  /** Whether a condition has to narrow it. @default false */
  readonly conditions?: true;
  readonly why: string;
}

const OF_RECOVERIES = /^(Billing|Main)RecoveryRoleDefaultPolicy$/;
const OF_REMINDERS = /^(Billing|Main)RecoveryReminderRoleDefaultPolicy$/;
const OF_TEMPORARY_MAKERS = /^(Billing|Main)(Rows|LargeArchive|InstanceDrill)RoleDefaultPolicy$/;
const OF_TEMPORARY = /^(Billing|Main)(Rows|LargeArchive|InstanceDrill)(InstanceExpiry)?RoleDefaultPolicy$/;
const OF_RESTORES = /^(Billing|Main)LargeRestoreRoleDefaultPolicy$/;
const OF_ARCHIVES = /^(Billing|Main)LargeArchiveRoleDefaultPolicy$/;
export const arn = (resource: string) => `arn:aws:rds:eu-central-1:<account>:${resource}`;
const instances = (kind: string) =>
  ['billing', 'main'].map((name) => arn(`db:billing-operations-<env>-${name}-${kind}-*`));

const TEMPORARY = [...instances('rows'), ...instances('archive'), ...instances('drill')];
const executionsOf = (kind: 'archive' | 'restore', suffix: string) =>
  ['billing', 'main'].map(
    (name) => `arn:aws:states:eu-central-1:<account>:execution:BillingOps-<env>-${kind}-${name}${suffix}`,
  );
const ofArchives = (suffix: string) => executionsOf('archive', suffix);

/** Those of the workflows that restore instances. */
export const OF_WORKFLOWS: readonly Justified[] = [
  {
    of: /^ResetPasswordRoleDefaultPolicy$/,
    actions: ['rds:ModifyDBInstance'],
    resources: [...instances('recovered'), ...TEMPORARY],
    why: 'names of recovered and temporary instances have a random part; the pattern never matches the instance in use',
  },
  {
    of: OF_RECOVERIES,
    actions: ['rds:RestoreDBInstanceToPointInTime'],
    resources: [...instances('recovered'), arn('og:default:postgres-*'), arn('auto-backup:*')],
    why: 'names of recovered instances have a random part; RDS generates the ids of the backups of a deleted instance',
  },
  {
    of: OF_RECOVERIES,
    actions: ['rds:RestoreDBInstanceFromDBSnapshot'],
    resources: [...instances('recovered'), arn('og:default:postgres-*'), arn('snapshot:*')],
    why: 'names of recovered instances have a random part; the operator chooses the snapshot',
  },
  {
    of: OF_RECOVERIES,
    actions: ['rds:AddTagsToResource'],
    resources: instances('recovered'),
    why: 'names of recovered instances have a random part',
  },
  {
    of: OF_RECOVERIES,
    actions: ['rds:ModifyDBInstance', 'rds:DescribeDBInstances'],
    resources: [...instances('recovered'), ...instances('before'), arn('og:default:postgres-*')],
    why: 'names of recovered and former instances have a random part, and names of default option groups a version',
  },
  {
    of: OF_RECOVERIES,
    actions: ['rds:DescribeDBInstanceAutomatedBackups'],
    resources: [arn('auto-backup:*')],
    why: 'RDS generates the ids of the backups of a deleted instance; they are only looked at',
  },
  {
    of: OF_RECOVERIES,
    actions: ['logs:CreateLogGroup', 'logs:PutRetentionPolicy', 'logs:TagResource'],
    resources: ['billing', 'main'].flatMap((name) =>
      ['recovered', 'before'].map(
        (kind) =>
          `arn:aws:logs:eu-central-1:<account>:log-group:/aws/rds/instance/billing-operations-<env>-${name}-${kind}-*`,
      ),
    ),
    why: 'names of recovered and former instances have a random part, and so do those of their logs',
  },
  {
    of: OF_REMINDERS,
    actions: ['rds:DescribeDBInstances'],
    resources: [...instances('recovered'), ...instances('before')],
    why: 'names of recovered and former instances have a random part; they are only looked at',
  },
  {
    of: OF_TEMPORARY_MAKERS,
    actions: ['rds:RestoreDBInstanceToPointInTime', 'rds:RestoreDBInstanceFromDBSnapshot', 'rds:AddTagsToResource'],
    resources: TEMPORARY,
    conditions: true,
    why: 'names of temporary instances have a random part; made only with the tag that lets them be deleted',
  },
  {
    of: OF_TEMPORARY_MAKERS,
    actions: ['rds:RestoreDBInstanceToPointInTime', 'rds:RestoreDBInstanceFromDBSnapshot'],
    resources: [arn('og:default:postgres-*'), arn('auto-backup:*'), arn('snapshot:*')],
    why: 'RDS generates the ids of backups and default option groups; the operator chooses the snapshot',
  },
  {
    of: OF_TEMPORARY_MAKERS,
    actions: ['rds:DescribeDBInstanceAutomatedBackups'],
    resources: [arn('auto-backup:*')],
    why: 'RDS generates the ids of the backups of a deleted instance; they are only looked at',
  },
  {
    of: OF_TEMPORARY,
    actions: ['rds:DescribeDBInstances'],
    resources: TEMPORARY,
    why: 'names of temporary instances have a random part; they are only looked at',
  },
  {
    of: OF_TEMPORARY,
    actions: ['rds:DeleteDBInstance'],
    resources: TEMPORARY,
    conditions: true,
    why: 'names of temporary instances have a random part; only those with the tag of one',
  },
  {
    of: OF_ARCHIVES,
    actions: ['states:DescribeExecution', 'states:StopExecution'],
    resources: ofArchives(':*'),
    why: 'Step Functions names the executions of a map; the name of the workflow holds them apart',
  },
  {
    of: OF_ARCHIVES,
    actions: ['states:RedriveExecution'],
    resources: ofArchives('/Parts:*'),
    why: 'Step Functions names the executions of a map; those of this map alone',
  },
  {
    of: OF_RESTORES,
    actions: ['states:DescribeExecution', 'states:StopExecution'],
    resources: executionsOf('restore', ':*'),
    why: 'Step Functions names the executions of a map; the name of the workflow holds them apart',
  },
  {
    of: OF_RESTORES,
    actions: ['states:RedriveExecution'],
    resources: [...executionsOf('restore', '/Rows:*'), ...executionsOf('restore', '/Indexes:*')],
    why: 'Step Functions names the executions of a map; those of these maps alone',
  },
  {
    of: OF_ARCHIVES,
    actions: ['s3:GetObject'],
    resources: ['billing', 'main'].map((name) => `<ArchivesBucket>/archives/${name}/*/*/parts.json`),
    why: 'names of archives are generated at run time; the lists of parts, and nothing else of them',
  },
  {
    of: /^BillingRecoveryRoleDefaultPolicy$/,
    actions: ['rds:RegisterDBProxyTargets', 'rds:DeregisterDBProxyTargets'],
    resources: [arn('db:billing-operations-<env>-billing-recovered-*'), arn('db-proxy:*'), arn('target-group:*')],
    why: 'ARNs of proxies and target groups contain ids that RDS generates; names of recovered instances have a random part',
  },
  {
    of: /^BillingRecoveryRoleDefaultPolicy$/,
    actions: ['rds:DescribeDBProxyTargets'],
    resources: [arn('db-proxy:*'), arn('target-group:*')],
    why: 'ARNs of proxies and target groups contain ids that RDS generates',
  },
];
