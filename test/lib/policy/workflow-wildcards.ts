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
const OF_ROWS = /^(Billing|Main)RowsRoleDefaultPolicy$/;
const OF_TEMPORARY = /^(Billing|Main)Rows(InstanceExpiry)?RoleDefaultPolicy$/;
export const arn = (resource: string) => `arn:aws:rds:eu-central-1:<account>:${resource}`;
const instances = (kind: string) =>
  ['billing', 'main'].map((name) => arn(`db:billing-operations-<env>-${name}-${kind}-*`));

/** Those of the workflows that restore instances. */
export const OF_WORKFLOWS: readonly Justified[] = [
  {
    of: /^ResetPasswordRoleDefaultPolicy$/,
    actions: ['rds:ModifyDBInstance'],
    resources: [...instances('recovered'), ...instances('rows')],
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
    of: OF_ROWS,
    actions: ['rds:RestoreDBInstanceToPointInTime', 'rds:RestoreDBInstanceFromDBSnapshot', 'rds:AddTagsToResource'],
    resources: instances('rows'),
    conditions: true,
    why: 'names of temporary instances have a random part; made only with the tag that lets them be deleted',
  },
  {
    of: OF_ROWS,
    actions: ['rds:RestoreDBInstanceToPointInTime', 'rds:RestoreDBInstanceFromDBSnapshot'],
    resources: [arn('og:default:postgres-*'), arn('auto-backup:*'), arn('snapshot:*')],
    why: 'RDS generates the ids of backups and default option groups; the operator chooses the snapshot',
  },
  {
    of: OF_ROWS,
    actions: ['rds:DescribeDBInstanceAutomatedBackups'],
    resources: [arn('auto-backup:*')],
    why: 'RDS generates the ids of the backups of a deleted instance; they are only looked at',
  },
  {
    of: OF_TEMPORARY,
    actions: ['rds:DescribeDBInstances'],
    resources: instances('rows'),
    why: 'names of temporary instances have a random part; they are only looked at',
  },
  {
    of: OF_TEMPORARY,
    actions: ['rds:DeleteDBInstance'],
    resources: instances('rows'),
    conditions: true,
    why: 'names of temporary instances have a random part; only those with the tag of one',
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
