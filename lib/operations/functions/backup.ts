import { Duration, Stack } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { ContextAttribute } from 'aws-cdk-lib/aws-scheduler';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { BackupEnvironment } from '../../../lambdas/backup/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { BACKUP_POLICIES, STREAMING_LIMIT_GIB } from '../../config/policies';
import { ARCHIVE_SCHEDULES } from '../../config/schedules';
import {
  type ArchiveAccess,
  archiveEnvironment,
  grantHiding,
  grantReadingArchives,
  grantWritingLocked,
} from '../archive-access';
import { grantSnapshots, SnapshotExportRole } from '../backup-permissions';
import { signingRoleName } from '../../data/archive-signing-key';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment, mainDatabaseEnvironment } from '../database-connection';
import { FunctionSchedule } from '../function-schedule';
import { OperationalFunction, type OperationsContext } from '../operational-function';
import { archiveWorkflowArn } from '../recovery/large-archive';

export interface BackupProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** The archives of the environment. */
  readonly archives: ArchiveAccess;
  /** Key of the archive bucket, which also encrypts the exports of RDS. */
  readonly archiveKey: IKey;
  /** How to reach each database. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  /** Databases that a workflow archives when they are too large for one call. The others are exported. */
  readonly withWorkflow: readonly DatabaseName[];
}

/** Archives each database to S3 as often as its policy says. */
export class Backup extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, props: BackupProps) {
    super(scope, id);
    const { archives, archiveKey, databases, withWorkflow } = props;
    const { config } = props.context;
    const workflowArn = (name: DatabaseName) => archiveWorkflowArn(Stack.of(this), config.name, name);
    const workflowOf = (name: DatabaseName) => (withWorkflow.includes(name) ? workflowArn(name) : '');
    const onRds = DATABASE_NAMES.some((name) => databases[name].instanceIdentifier !== undefined);
    const exporting = onRds
      ? new SnapshotExportRole(this, 'SnapshotExport', { archiveBucket: archives.bucket, archiveKey })
      : undefined;

    const target = new OperationalFunction<BackupEnvironment>(this, 'Backup', {
      context: props.context,
      stem: 'backup',
      description: 'Streams a consistent archive of one database to S3',
      environment: {
        ...billingDatabaseEnvironment(databases.billing),
        ...mainDatabaseEnvironment(databases.main),
        ...archiveEnvironment(archives),
        BILLING_RETENTION_DAYS: String(BACKUP_POLICIES.billing.retentionDays),
        MAIN_RETENTION_DAYS: String(BACKUP_POLICIES.main.retentionDays),
        BILLING_FREQUENCY_HOURS: recoveryPointHours(databases.billing),
        MAIN_FREQUENCY_HOURS: recoveryPointHours(databases.main),
        BILLING_INSTANCE_IDENTIFIER: databases.billing.instanceIdentifier ?? '',
        MAIN_INSTANCE_IDENTIFIER: databases.main.instanceIdentifier ?? '',
        STREAMING_LIMIT_GIB: String(STREAMING_LIMIT_GIB),
        BILLING_ARCHIVE_WORKFLOW_ARN: workflowOf('billing'),
        MAIN_ARCHIVE_WORKFLOW_ARN: workflowOf('main'),
        EXPORT_ROLE_ARN: exporting?.role.roleArn ?? '',
        EXPORT_KEY_ARN: onRds ? archiveKey.keyArn : '',
      },
      roleName: signingRoleName(config.name, Stack.of(this).region),
      timeout: Duration.minutes(15),
      // Two cores: one compresses while the other hashes and uploads.
      memorySize: 3538,
      sparing: true,
      databases: DATABASE_NAMES.map((name) => databases[name]),
      // One for each database: both schedules may start in the same hour, and no database is backed up twice at once. The
      // parts of large archives come on top, so that they never keep a schedule waiting.
      reservedConcurrentExecutions: DATABASE_NAMES.length + withWorkflow.length * config.largeArchives.concurrentParts,
      // A retry uses the same slot: it completes the backup, or finds it complete.
      asynchronous: { retryAttempts: 1, maximumAge: Duration.hours(1) },
    });
    this.function = target.function;
    if (withWorkflow.length > 0) {
      const actions = ['states:StartExecution', 'states:ListExecutions'];
      target.function.addToRolePolicy(new PolicyStatement({ actions, resources: withWorkflow.map(workflowArn) }));
    }
    // It writes, locks, lists and hides archives, and can never destroy one.
    for (const name of DATABASE_NAMES) grantWritingLocked(target.function, archives.bucket, `archives/${name}/*`);
    grantReadingArchives(target.function, archives);
    grantHiding(target.function, archives.bucket, 'archives/*');
    // The key admits no other role.
    archives.signingKey.grantSign(target.function);
    exporting?.grantStart(target.function);
    for (const name of DATABASE_NAMES) grantSnapshots(target.function, databases[name]);

    for (const name of DATABASE_NAMES) {
      new FunctionSchedule(this, name === 'billing' ? 'EveryBilling' : 'EveryMain', {
        target,
        definition: ARCHIVE_SCHEDULES[name],
        description: `Archive of the ${name} database`,
        input: { database: name, slot: ContextAttribute.scheduledTime },
      });
    }
  }
}

/** Hours between two recovery points, for the check of their age; 0 where none are taken. */
function recoveryPointHours({ name, recoveryPoints }: DatabaseAccess): string {
  return recoveryPoints === 'none' ? '0' : String(BACKUP_POLICIES[name].frequencyHours);
}
