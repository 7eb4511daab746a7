import { Duration } from 'aws-cdk-lib';
import { ContextAttribute } from 'aws-cdk-lib/aws-scheduler';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { BackupEnvironment } from '../../lambdas/backup/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../lambdas/shared/contract';
import { BACKUP_POLICIES } from '../config/policies';
import { ARCHIVE_SCHEDULES } from '../config/schedules';
import { billingDatabaseEnvironment, mainDatabaseEnvironment, type DatabaseAccess } from './database-access';
import { FunctionSchedule } from './function-schedule';
import { OperationalFunction, type OperationsContext } from './operational-function';

export interface BackupProps {
  readonly context: OperationsContext;
  readonly archiveBucket: IBucket;
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
}

/** Archives each database to S3 as often as its policy says. */
export class Backup extends Construct {
  constructor(scope: Construct, id: string, props: BackupProps) {
    super(scope, id);
    const { archiveBucket, databases } = props;
    const target = new OperationalFunction<BackupEnvironment>(this, 'Backup', {
      context: props.context,
      stem: 'backup',
      description: 'Streams a consistent archive of one database to S3',
      environment: {
        ...billingDatabaseEnvironment(databases.billing),
        ...mainDatabaseEnvironment(databases.main),
        ARCHIVE_BUCKET: archiveBucket.bucketName,
        BILLING_RETENTION_DAYS: String(BACKUP_POLICIES.billing.retentionDays),
        MAIN_RETENTION_DAYS: String(BACKUP_POLICIES.main.retentionDays),
      },
      timeout: Duration.minutes(15),
      // Two cores: one compresses while the other hashes and sends.
      memorySize: 3538,
      databases: DATABASE_NAMES.map((name) => databases[name]),
      // One for each database: their schedules may fall on the same hour, the same database never runs twice.
      reservedConcurrentExecutions: DATABASE_NAMES.length,
      // A second attempt asks for the same slot and finds it taken, or completes it.
      asynchronous: { retryAttempts: 1, maximumAge: Duration.hours(1) },
    });
    // Writes, locks and lists; `grantReadWrite` would also let it delete what it is there to protect.
    for (const name of DATABASE_NAMES) archiveBucket.grantPut(target.function, `archives/${name}/*`);
    archiveBucket.grantRead(target.function, 'archives/*');

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
