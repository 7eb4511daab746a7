import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { EXPORT_PREFIX } from '../../../core/archive/contract';
import type { CollectorEnvironment } from '../../../lambdas/collector/contract';
import type { DatabaseName } from '../../../core/contract';
import { EVENT_RETENTION_DAYS } from '../../config/policies';
import { COLLECTOR_SCHEDULE } from '../../config/schedules';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment, mainDatabaseEnvironment } from '../database-connection';
import { FunctionSchedule } from '../function-schedule';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface CollectorProps {
  readonly context: OperationsContext;
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  readonly archiveBucket: IBucket;
  readonly stripeApiSecretArn: string;
  readonly stripeSigningSecretArn: string;
}

/** Publishes what must be looked up to be known: sizes, shares, and how long ago everything was last done. */
export class Collector extends Construct {
  constructor(scope: Construct, id: string, props: CollectorProps) {
    super(scope, id);
    const { archiveBucket, stripeApiSecretArn, stripeSigningSecretArn } = props;
    const { billing, main } = props.databases;
    const target = new OperationalFunction<CollectorEnvironment>(this, 'Collector', {
      context: props.context,
      stem: 'collector',
      description: 'Publishes sizes, shares and the ages of backups, drills and reconciliations',
      environment: {
        ...billingDatabaseEnvironment(billing),
        ...mainDatabaseEnvironment(main),
        BILLING_INSTANCE_IDENTIFIER: billing.instanceIdentifier ?? '',
        MAIN_INSTANCE_IDENTIFIER: main.instanceIdentifier ?? '',
        BILLING_ALLOCATED_STORAGE_GIB: String(billing.allocatedStorageGiB),
        MAIN_ALLOCATED_STORAGE_GIB: String(main.allocatedStorageGiB),
        ARCHIVE_BUCKET: archiveBucket.bucketName,
        EVENT_RETENTION_DAYS: String(EVENT_RETENTION_DAYS),
        STRIPE_API_SECRET_ARN: stripeApiSecretArn,
        STRIPE_SIGNING_SECRET_ARN: stripeSigningSecretArn,
      },
      timeout: Duration.minutes(1),
      memorySize: 512,
      databases: [billing, main],
      reservedConcurrentExecutions: 1,
      // The next collection is five minutes away and makes this one worthless.
      asynchronous: { retryAttempts: 0, maximumAge: Duration.minutes(COLLECTOR_SCHEDULE.maximumAgeMinutes) },
    });
    const instances = [billing, main].flatMap(({ instanceIdentifier }) => instanceIdentifier ?? []);
    if (instances.length > 0) {
      target.function.addToRolePolicy(
        new PolicyStatement({
          // Storage autoscaling changes the size of the disk, and only RDS knows it; so it does the instance's class.
          actions: ['rds:DescribeDBInstances'],
          resources: instances.map((identifier) =>
            Stack.of(this).formatArn({
              service: 'rds',
              resource: 'db',
              resourceName: identifier,
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          ),
        }),
      );
    }
    target.function.addToRolePolicy(
      new PolicyStatement({
        // The names of archives and exports say how old the newest is; what is in them is none of its business.
        actions: ['s3:ListBucket'],
        resources: [archiveBucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': ['archives/*', `${EXPORT_PREFIX}*`] } },
      }),
    );
    target.function.addToRolePolicy(
      new PolicyStatement({
        // The dates of a secret's versions, not their values.
        actions: ['secretsmanager:ListSecretVersionIds'],
        resources: [billing.secretArn, main.secretArn, stripeApiSecretArn, stripeSigningSecretArn],
      }),
    );
    new FunctionSchedule(this, 'EveryFiveMinutes', {
      target,
      definition: COLLECTOR_SCHEDULE,
      description: 'Collection of sizes, shares and ages',
    });
  }
}
