import { DATABASE_NAMES } from '../../../core/contract';
import { EXAMPLES, exampleEnvironment } from '../../support/example-environments';
import { BACKUP_POLICIES } from '../../../lib/config/policies';
import { resourceLike, templatesOf, type Resource } from '../support';

const title = { billing: 'BillingDatabase', main: 'MainDatabase' } as const;
const audited = { billing: 'ddl,role,write', main: 'ddl,role' } as const;

/** Of one instance: what the template declares, and what the policy tables and the environment say. */
interface Subject {
  readonly instance: Record<string, unknown>;
  readonly rule: Record<string, unknown>;
  readonly lock: Record<string, unknown>;
  readonly rotation: Record<string, unknown>;
  readonly parameters: Record<string, unknown>;
  readonly schedule: Record<string, unknown>;
  readonly restoreTest: Record<string, unknown>;
  readonly audited: string;
  readonly lifecycle: Record<string, unknown> | undefined;
  readonly retentionVariable: unknown;
  readonly policy: (typeof BACKUP_POLICIES)['billing'];
  readonly protect: boolean;
  readonly multiAz: boolean;
}

function subjectOf(environment: string, database: 'billing' | 'main'): Subject {
  const { data, operations } = templatesOf(environment);
  const config = exampleEnvironment(environment);
  const settings = config.databases[database];
  const properties = (resource: Resource) => resource.Properties;
  const plan = properties(resourceLike(data, 'AWS::Backup::BackupPlan', title[database])).BackupPlan as {
    BackupPlanRule: Record<string, unknown>[];
  };
  const bucket = properties(resourceLike(data, 'AWS::S3::Bucket', 'ArchivesBucket'));
  const rules = (bucket.LifecycleConfiguration as { Rules: Record<string, unknown>[] }).Rules;
  const backup = properties(resourceLike(operations, 'AWS::Lambda::Function', 'Backup'));
  return {
    instance: properties(resourceLike(data, 'AWS::RDS::DBInstance', `${title[database]}Instance`)),
    rule: plan.BackupPlanRule[0] ?? {},
    lock: properties(resourceLike(data, 'AWS::Backup::BackupVault', title[database])).LockConfiguration as Record<
      string,
      unknown
    >,
    rotation: properties(resourceLike(data, 'AWS::SecretsManager::RotationSchedule', title[database])),
    parameters: properties(resourceLike(data, 'AWS::RDS::DBParameterGroup', `${title[database]}Parameters`))
      .Parameters as Record<string, unknown>,
    schedule: properties(
      resourceLike(operations, 'AWS::Scheduler::Schedule', database === 'billing' ? 'EveryBilling' : 'EveryMain'),
    ),
    restoreTest: properties(resourceLike(data, 'AWS::Backup::RestoreTestingPlan', title[database])),
    audited: audited[database],
    lifecycle: rules.find(({ Prefix }) => Prefix === `archives/${database}/`),
    retentionVariable: (backup.Environment as { Variables: Record<string, unknown> }).Variables[
      `${database.toUpperCase()}_RETENTION_DAYS`
    ],
    policy: BACKUP_POLICIES[database],
    protect: config.removalProtection,
    multiAz: settings.kind === 'create' && settings.multiAz,
  };
}

/** The list of template properties that are checked against the tables: [what, (declared, expected)]. */
const CHECKED: [string, (subject: Subject) => [unknown, unknown]][] = [
  [
    'the engine is PostgreSQL 17',
    (s) => [
      [s.instance.Engine, s.instance.EngineVersion],
      ['postgres', '17'],
    ],
  ],
  [
    'point-in-time recovery reaches back as far as the policy',
    (s) => [s.instance.BackupRetentionPeriod, s.policy.pointInTimeDays],
  ],
  ['recovery points are made at the hours of the policy', (s) => [s.rule.ScheduleExpression, s.policy.cron]],
  [
    'recovery points are kept as long as the policy',
    (s) => [(s.rule.Lifecycle as { DeleteAfterDays: number }).DeleteAfterDays, s.policy.retentionDays],
  ],
  ['a recovery point starts within the hour', (s) => [s.rule.StartWindowMinutes, 60]],
  ['the vault refuses a shorter retention', (s) => [s.lock.MinRetentionDays, s.policy.retentionDays]],
  [
    'the vault accepts the retention of the policy',
    (s) => [Number(s.lock.MaxRetentionDays) >= s.policy.retentionDays, true],
  ],
  [
    'the vault cannot be unlocked where data is protected',
    (s) => [s.lock.ChangeableForDays, s.protect ? 3 : undefined],
  ],
  ['archives are made at the hours of the policy', (s) => [s.schedule.ScheduleExpression, s.policy.cron]],
  ['archives are scheduled in UTC', (s) => [s.schedule.ScheduleExpressionTimezone, 'Etc/UTC']],
  [
    'no archive expires by age alone, and hidden ones are deleted a day later',
    (s) => [
      [s.lifecycle?.ExpirationInDays, s.lifecycle?.NoncurrentVersionExpiration],
      [undefined, { NoncurrentDays: 1 }],
    ],
  ],
  [
    'a recovery point is restored every month to test it',
    (s) => [/^cron\(0 10 [12] \* \? \*\)$/.test(String(s.restoreTest.ScheduleExpression)), true],
  ],
  ['archives are locked for the retention of the policy', (s) => [s.retentionVariable, String(s.policy.retentionDays)]],
  [
    'credentials rotate every 90 days',
    (s) => [(s.rotation.RotationRules as { ScheduleExpression: string }).ScheduleExpression, 'rate(90 days)'],
  ],
  ['a deployment rotates no credentials', (s) => [s.rotation.RotateImmediatelyOnUpdate, false]],
  [
    'storage is encrypted with a key of its own',
    (s) => [s.instance.StorageEncrypted === true && s.instance.KmsKeyId !== undefined, true],
  ],
  ['storage is gp3', (s) => [s.instance.StorageType, 'gp3']],
  [
    'storage grows automatically',
    (s) => [Number(s.instance.MaxAllocatedStorage) > Number(s.instance.AllocatedStorage), true],
  ],
  ['a connection without TLS is refused', (s) => [s.parameters['rds.force_ssl'], '1']],
  ['slow statements are logged from the warning threshold on', (s) => [s.parameters.log_min_duration_statement, '500']],
  [
    'the log of slow statements holds no values of customers',
    (s) => [
      [s.parameters.log_parameter_max_length, s.parameters.log_parameter_max_length_on_error],
      ['0', '0'],
    ],
  ],
  ['statements have a time limit', (s) => [s.parameters.statement_timeout, '60000']],
  ['abandoned transactions are ended', (s) => [s.parameters.idle_in_transaction_session_timeout, '300000']],
  [
    'statement statistics and the audit log are loaded',
    (s) => [s.parameters.shared_preload_libraries, 'pg_stat_statements,pgaudit'],
  ],
  ['changes of schema and roles are audited, on billing every write', (s) => [s.parameters['pgaudit.log'], s.audited]],
  [
    'each line of the log names the application, and the prefix is one of the two that RDS takes',
    (s) => [s.parameters.log_line_prefix, '%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:'],
  ],
  [
    'connections are logged',
    (s) => [
      [s.parameters.log_connections, s.parameters.log_disconnections],
      ['1', '1'],
    ],
  ],
  ['passwords are stored as SCRAM', (s) => [s.parameters.password_encryption, 'scram-sha-256']],
  ['Database Insights are those without a charge', (s) => [s.instance.DatabaseInsightsMode, 'standard']],
  ['the instance has no public address', (s) => [s.instance.PubliclyAccessible, false]],
  ['deletion protection follows the environment', (s) => [s.instance.DeletionProtection, s.protect]],
  ['automated backups outlive a protected instance', (s) => [s.instance.DeleteAutomatedBackups, !s.protect]],
  ['a standby exists where the environment says', (s) => [s.instance.MultiAZ, s.multiAz]],
  ['snapshots carry the tags', (s) => [s.instance.CopyTagsToSnapshot, true]],
  ['minor versions are applied', (s) => [s.instance.AutoMinorVersionUpgrade, true]],
  ['major versions are not applied', (s) => [s.instance.AllowMajorVersionUpgrade, false]],
  ['extended support is off', (s) => [s.instance.EngineLifecycleSupport, 'open-source-rds-extended-support-disabled']],
  ['the certificate authority is named', (s) => [s.instance.CACertificateIdentifier, 'rds-ca-rsa2048-g1']],
  ['logs are exported', (s) => [s.instance.EnableCloudwatchLogsExports, ['postgresql', 'upgrade']]],
  ['IAM authentication is possible', (s) => [s.instance.EnableIAMDatabaseAuthentication, true]],
  ['changes wait for the maintenance window', (s) => [s.instance.ApplyImmediately, false]],
];

describe.each(EXAMPLES.flatMap((environment) => DATABASE_NAMES.map((database) => [environment, database] as const)))(
  '%s: the %s database',
  (environment, database) => {
    test.each(CHECKED)('%s', (_, check) => {
      const [declared, expected] = check(subjectOf(environment, database));
      expect(declared).toStrictEqual(expected);
    });
  },
);

test('the policy table equals the operations guide', () => {
  expect(BACKUP_POLICIES).toMatchObject({
    billing: {
      priority: 'critical',
      frequencyHours: 6,
      retentionDays: 90,
      pointInTimeDays: 35,
      restoreTargetMinutes: 60,
    },
    main: { priority: 'high', frequencyHours: 24, retentionDays: 30, pointInTimeDays: 30, restoreTargetMinutes: 240 },
  });
  expect(BACKUP_POLICIES.billing.cron).toBe('cron(0 0,6,12,18 * * ? *)');
  expect(BACKUP_POLICIES.main.cron).toBe('cron(0 2 * * ? *)');
});

test('the billing database has a standby in staging and in production', () => {
  expect(exampleEnvironment('staging').databases.billing).toHaveProperty('multiAz', true);
  expect(exampleEnvironment('production').databases.billing).toHaveProperty('multiAz', true);
});

test('RDS windows stay an hour clear of the hours at which AWS Backup starts', () => {
  for (const database of DATABASE_NAMES) {
    const { instance, policy } = subjectOf('production', database);
    const starts = (/cron\(0 ([\d,]+) /.exec(policy.cron)?.[1] ?? '').split(',').map(Number);
    const windowHours = [instance.PreferredBackupWindow, instance.PreferredMaintenanceWindow].map((window) =>
      Number(/(\d{2}):\d{2}-/.exec(String(window))?.[1]),
    );
    // A job may start up to an hour late, and must not within an hour before a window.
    for (const hour of windowHours)
      for (const start of starts) expect((hour - start + 24) % 24).toBeGreaterThanOrEqual(2);
  }
});
