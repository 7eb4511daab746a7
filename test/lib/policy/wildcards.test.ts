import { EXAMPLES } from '../../support/example-environments';
import { statementsIn, type Statement } from '../statements';
import { templatesOf } from '../support';
import { arn, OF_WORKFLOWS, type Justified } from './workflow-wildcards';

const OF_KEYS_OF_SECRETS = /^(StripeSecrets|BillingDatabase|MainDatabase)Key$/;
const ofStack = (region: string, stack: string) =>
  `arn:aws:cloudformation:${region}:<account>:stack/BillingOps-<env>-${stack}/*`;
const JUSTIFIED: readonly Justified[] = [
  {
    of: /Key$/,
    actions: ['kms:*'],
    resources: ['*'],
    why: 'in the policy of a key `*` is that key, and its account must be able to administer it: without this, a key is lost',
  },
  {
    of: OF_KEYS_OF_SECRETS,
    actions: [
      'kms:CreateGrant',
      'kms:Decrypt',
      'kms:DescribeKey',
      'kms:Encrypt',
      'kms:GenerateDataKey*',
      'kms:ReEncrypt*',
    ],
    resources: ['*'],
    conditions: true,
    why: 'in the policy of a key `*` is that key; usable only through Secrets Manager, as the framework writes it',
  },
  {
    of: /^BillingDatabaseKey$/,
    actions: ['kms:Decrypt'],
    resources: ['*'],
    conditions: true,
    why: 'in the policy of a key `*` is that key; usable only by the proxy, through Secrets Manager',
  },
  {
    of: /^LogKey$/,
    actions: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
    resources: ['*'],
    conditions: true,
    why: 'in the policy of a key `*` is that key; CloudWatch Logs, as it documents it, for log groups of this account',
  },
  {
    of: /^AlertsKey$/,
    actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
    resources: ['*'],
    conditions: true,
    why: 'in the policy of a key `*` is that key; CloudWatch, as it documents it, for alarms of this account',
  },
  {
    of: /^AlertsKey$/,
    actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
    resources: ['*'],
    why: 'in the policy of a key `*` is that key; EventBridge, as it documents it for topics, without a condition',
  },
  {
    of: /^MaintenanceRoleDefaultPolicy$/,
    actions: ['cloudformation:DescribeStacks', 'cloudformation:ListStackResources'],
    resources: [
      ...['Data', 'Operations', 'Monitoring'].map((stack) => ofStack('eu-central-1', stack)),
      ...['eu-west-1', 'eu-north-1'].map((region) => ofStack(region, 'Recovery')),
    ],
    why: 'CloudFormation adds an id of its own to the name of a stack; a second region, or a former one, is an allowed one',
  },
  {
    of: /^MaintenanceRoleDefaultPolicy$/,
    actions: ['kms:DescribeKey'],
    resources: ['eu-central-1', 'eu-west-1', 'eu-north-1'].map((region) => `arn:aws:kms:${region}:<account>:key/*`),
    conditions: true,
    why: 'ids of keys are generated, and those of Monitoring and of other regions unknown to the stack; the condition names the tags of the environment',
  },
  {
    of: /^MaintenanceRoleDefaultPolicy$/,
    actions: ['s3:ListAllMyBuckets'],
    resources: ['*'],
    why: 'a list of buckets has no resource; the function lists the copies of archives, also those that a former second region keeps',
  },
  {
    of: /^MaintenanceReadLogs[1-3]$/,
    actions: ['logs:DescribeSubscriptionFilters', 'logs:FilterLogEvents'],
    resources: ['billing', 'main']
      .flatMap((name) => [
        `/aws/lambda/BillingOps-<env>-rotate-${name}`,
        `/aws/rds/proxy/billing-operations-<env>-${name}`,
        ...['', '-analytics'].flatMap((suffix) =>
          ['postgresql', 'upgrade'].map((log) => `/aws/rds/instance/billing-operations-<env>-${name}${suffix}/${log}`),
        ),
      ])
      .map((group) => `arn:aws:logs:eu-central-1:<account>:log-group:${group}:*`),
    why: 'policies name a log group with its streams; the group itself is exact',
  },
  {
    of: /^CollectorRoleDefaultPolicy$/,
    actions: ['cloudwatch:GetMetricStatistics'],
    resources: ['*'],
    why: 'metrics have no resource; it reads by how much the copies in the second region are behind',
  },
  {
    of: /^InspectRoleDefaultPolicy$/,
    actions: ['cloudwatch:DescribeAlarms'],
    resources: ['*'],
    why: 'a list of alarms has no resource; the function lists those whose names begin with the environment’s',
  },
  {
    of: /^ArchivesAccessLogsPolicy$/,
    actions: ['s3:PutObject'],
    resources: ['<ArchivesAccessLogs>/archives/*'],
    conditions: true,
    why: 'S3 generates the names of the logs that it delivers; only from the archive bucket of this account',
  },
  {
    of: /RoleDefaultPolicy$/,
    actions: ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'],
    resources: ['*'],
    why: 'traces have no resource',
  },
  {
    of: /RoleDefaultPolicy$/,
    actions: [
      'ec2:AssignPrivateIpAddresses',
      'ec2:CreateNetworkInterface',
      'ec2:DeleteNetworkInterface',
      'ec2:DescribeNetworkInterfaces',
      'ec2:DescribeSubnets',
      'ec2:UnassignPrivateIpAddresses',
    ],
    resources: ['*'],
    why: 'Lambda needs these on all resources to attach a function to a network; the code of the function is denied them',
  },
  {
    of: /^(Billing|Main)(Recovery(Reminder)?|(Rows|LargeArchive|InstanceDrill)(InstanceExpiry)?|LargeRestore)RoleDefaultPolicy$/,
    actions: [
      'logs:CreateLogDelivery',
      'logs:DeleteLogDelivery',
      'logs:DescribeLogGroups',
      'logs:DescribeResourcePolicies',
      'logs:GetLogDelivery',
      'logs:ListLogDeliveries',
      'logs:PutResourcePolicy',
      'logs:UpdateLogDelivery',
      'xray:GetSamplingRules',
      'xray:GetSamplingTargets',
    ],
    resources: ['*'],
    why: 'Step Functions needs these to deliver the log and the traces of a workflow; neither has a resource',
  },
  {
    of: /^BackupRoleDefaultPolicy$/,
    actions: ['s3:PutObject', 's3:PutObjectRetention', 's3:GetObjectRetention', 's3:AbortMultipartUpload'],
    resources: ['<ArchivesBucket>/archives/billing/*', '<ArchivesBucket>/archives/main/*'],
    why: 'names of archives contain their time',
  },
  {
    of: /^BackupRoleDefaultPolicy$/,
    actions: ['s3:GetObject', 's3:DeleteObject', 's3:AbortMultipartUpload'],
    resources: ['<ArchivesBucket>/archives/*'],
    why: 'names of archives contain their time; a deletion adds a delete marker, and the versions stay',
  },
  {
    of: /^(Restore|Drill|RowRecovery|Inspect)RoleDefaultPolicy$/,
    actions: ['s3:GetObject'],
    resources: ['<ArchivesBucket>/archives/*'],
    why: 'names of archives contain their time',
  },
  {
    of: /^(Restore|Drill|RowRecovery|Erasure)RoleDefaultPolicy$/,
    actions: ['s3:GetObject', 's3:GetObjectVersion'],
    resources: ['<ArchivesBucket>/erasures/*'],
    why: 'names of entries contain the time of the erasure and a random part',
  },
  {
    of: /^ErasureRoleDefaultPolicy$/,
    actions: ['s3:PutObject', 's3:AbortMultipartUpload', 's3:PutObjectRetention', 's3:GetObjectRetention'],
    resources: ['<ArchivesBucket>/erasures/*'],
    why: 'names of entries contain the time of the erasure and a random part',
  },
  {
    of: /^ErasureRoleDefaultPolicy$/,
    actions: ['s3:DeleteObject', 's3:DeleteObjectVersion'],
    resources: ['<ArchivesBucket>/row-recovery/*'],
    why: 'names of reports have a random part; they hold rows of anybody, and an erasure destroys every version',
  },
  {
    of: /^DrillRoleDefaultPolicy$/,
    actions: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'],
    resources: ['<ArchivesBucket>/drills/*'],
    why: 'names of records contain the time of the drill; a repeated call reads what the first has recorded',
  },
  {
    of: /^AuditRoleDefaultPolicy$/,
    actions: [
      's3:GetObject',
      's3:PutObject',
      's3:AbortMultipartUpload',
      's3:PutObjectRetention',
      's3:GetObjectRetention',
    ],
    resources: ['<ArchivesBucket>/audit/*'],
    why: 'names of records contain the time of the action and a random part',
  },
  {
    of: /^RowRecoveryRoleDefaultPolicy$/,
    actions: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'],
    resources: ['<ArchivesBucket>/row-recovery/*'],
    why: 'names of reports have a random part',
  },
  {
    of: /^BackupSnapshotExportRoleDefaultPolicy$/,
    actions: ['s3:PutObject', 's3:GetObject', 's3:DeleteObject'],
    resources: ['<ArchivesBucket>/exports/*'],
    why: 'RDS generates the names of the files that it exports',
  },
  {
    of: /^BackupRoleDefaultPolicy$/,
    actions: ['rds:DescribeExportTasks', 'rds:StartExportTask'],
    resources: [arn('export-task:*'), arn('snapshot:*')],
    why: 'RDS generates the names of automated snapshots; exports are encrypted with the archive key only',
  },
  {
    of: /^BackupRoleDefaultPolicy$/,
    actions: ['rds:DescribeDBInstances', 'rds:DescribeDBSnapshots'],
    resources: [arn('snapshot:*')],
    why: 'listing snapshots is authorised against all snapshots of the account, whose names RDS generates',
  },
  {
    of: /^BackupRoleDefaultPolicy$/,
    actions: ['rds:AddTagsToResource', 'rds:CreateDBSnapshot'],
    resources: ['billing', 'main'].map((name) => arn(`snapshot:billing-operations-${name}-pre-migration-*`)),
    why: 'names of snapshots before a migration contain its time',
  },
  ...OF_WORKFLOWS,
  {
    of: /^ArchiveReplicationRoleDefaultPolicy$/,
    actions: [
      's3:GetObjectVersionForReplication',
      's3:GetObjectVersionAcl',
      's3:GetObjectVersionTagging',
      's3:GetObjectRetention',
      's3:GetObjectLegalHold',
    ],
    resources: ['<ArchivesBucket>/*'],
    why: 'every object of the bucket is copied',
  },
  {
    of: /^ArchiveReplicationRoleDefaultPolicy$/,
    actions: ['s3:ReplicateObject', 's3:ReplicateTags', 's3:ReplicateDelete'],
    resources: ['arn:aws:s3:::billing-ops-<env>-archives-<account>-eu-west-1/*'],
    why: 'every object of the bucket is copied',
  },
  {
    of: /^ArchiveReplicationRoleDefaultPolicy$/,
    actions: ['kms:Encrypt', 'kms:GenerateDataKey'],
    resources: ['arn:aws:kms:eu-west-1:<account>:key/*'],
    conditions: true,
    why: 'the id of a key in another region is unknown to the stack; the condition names its alias',
  },
];

/** One action on one resource, of which either has a wildcard. */
interface Wildcard extends Pick<Statement, 'of' | 'conditions'> {
  readonly action: string;
  readonly resource: string;
}

const isWild = (text: string) => /[*?]/.test(text);

function grantsOf(environment: string): Statement[] {
  return Object.values(templatesOf(environment))
    .flatMap((template) => (template ? statementsIn(template) : []))
    .filter(({ effect }) => effect === 'Allow');
}

function wildcardsOf(environment: string): Wildcard[] {
  return grantsOf(environment)
    .flatMap(({ of, conditions, actions, resources }) =>
      actions.flatMap((action) => resources.map((resource) => ({ of, conditions, action, resource }))),
    )
    .filter(({ action, resource }) => isWild(action) || isWild(resource));
}

const justifies = (row: Justified, { of, conditions, action, resource }: Wildcard) =>
  row.of.test(of) &&
  (row.conditions ?? false) === conditions &&
  row.actions.includes(action) &&
  row.resources.includes(resource);

test.each([...EXAMPLES, 'bitcoin', 'own-network'])(
  'the policies of %s grant only the wildcards that are justified here',
  (environment) => {
    const unjustified = wildcardsOf(environment).filter(
      (wildcard) => !JUSTIFIED.some((row) => justifies(row, wildcard)),
    );
    expect(unjustified.map(({ of, action, resource }) => `${of} grants ${action} on ${resource}`)).toEqual([]);
  },
);

test.each([...EXAMPLES, 'bitcoin', 'own-network', 'adopting'])(
  'no policy of %s grants anything to every principal',
  (environment) => {
    expect(grantsOf(environment).filter(({ toAnybody }) => toAnybody)).toEqual([]);
  },
);

test('every justified wildcard is granted by a policy', () => {
  const granted = EXAMPLES.flatMap(wildcardsOf);
  const stale = JUSTIFIED.flatMap((row) => {
    const used = granted.filter((wildcard) => justifies(row, wildcard));
    return [
      ...row.actions.filter((action) => !used.some((wildcard) => wildcard.action === action)),
      ...row.resources.filter((resource) => !used.some((wildcard) => wildcard.resource === resource)),
    ].map((part) => `${part} of ${row.of.source}`);
  });
  expect(stale).toEqual([]);
});
