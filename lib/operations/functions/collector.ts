import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { EXPORT_PREFIX } from '../../../core/archive/contract';
import type { CollectorEnvironment } from '../../../lambdas/collector/contract';
import type { DatabaseName } from '../../../core/contract';
import { EVENT_RETENTION_DAYS } from '../../config/policies';
import { COLLECTOR_SCHEDULE } from '../../config/schedules';
import { passwordSecretsOf, type DatabaseAccess } from '../../data/database-access';
import type { RecoveryRegion } from '../../data/recovery-region';
import { billingDatabaseEnvironment, mainDatabaseEnvironment } from '../database-connection';
import { FunctionSchedule } from '../function-schedule';
import { archiveWorkflowArn } from '../recovery/large-archive';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface CollectorProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach each database. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  /** Bucket with the archives, whose ages are published. */
  readonly archiveBucket: IBucket;
  /** Databases that a workflow archives, see {@link LargeArchive}. */
  readonly withWorkflow: readonly DatabaseName[];
  /** Where archives are copied to. @default - nowhere */
  readonly recoveryRegion: RecoveryRegion | undefined;
  /** Secret with the key of the Stripe API, whose age is published. */
  readonly stripeApiSecretArn: string;
  /** Secret with Stripe's signing secrets, whose age is published. */
  readonly stripeSigningSecretArn: string;
}

/** Publishes what no other function reports: sizes, ratios, and the ages of backups, drills, reconciliations and secrets. */
export class Collector extends Construct {
  constructor(scope: Construct, id: string, props: CollectorProps) {
    super(scope, id);
    const { archiveBucket, recoveryRegion, withWorkflow, stripeApiSecretArn, stripeSigningSecretArn } = props;
    const { billing, main } = props.databases;
    const workflowArn = (name: DatabaseName) => archiveWorkflowArn(Stack.of(this), props.context.config.name, name);
    const workflowOf = (name: DatabaseName) => (withWorkflow.includes(name) ? workflowArn(name) : '');
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
        BILLING_ARCHIVE_WORKFLOW_ARN: workflowOf('billing'),
        MAIN_ARCHIVE_WORKFLOW_ARN: workflowOf('main'),
        ARCHIVE_BUCKET: archiveBucket.bucketName,
        COPY_REGION: recoveryRegion?.region ?? '',
        COPY_BUCKET: recoveryRegion?.archiveBucketName ?? '',
        ...passwordSecrets('BILLING_PASSWORD_SECRET_ARNS', billing),
        ...passwordSecrets('MAIN_PASSWORD_SECRET_ARNS', main),
        EVENT_RETENTION_DAYS: String(EVENT_RETENTION_DAYS),
        STRIPE_API_SECRET_ARN: stripeApiSecretArn,
        STRIPE_SIGNING_SECRET_ARN: stripeSigningSecretArn,
      },
      timeout: Duration.minutes(1),
      memorySize: 512,
      databases: [billing, main],
      reservedConcurrentExecutions: 1,
      // No retry: the next run, five minutes later, replaces this one.
      asynchronous: { retryAttempts: 0, maximumAge: Duration.minutes(COLLECTOR_SCHEDULE.maximumAgeMinutes) },
    });
    if (withWorkflow.length > 0) {
      target.function.addToRolePolicy(
        new PolicyStatement({ actions: ['states:ListExecutions'], resources: withWorkflow.map(workflowArn) }),
      );
    }
    const instances = [billing, main].flatMap(({ instanceIdentifier }) => instanceIdentifier ?? []);
    if (instances.length > 0) {
      target.function.addToRolePolicy(
        new PolicyStatement({
          // Only RDS knows the size of the disk, which storage autoscaling changes, and the class of the instance.
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
        // The names of archives and exports contain their time; the function must not read their content.
        actions: ['s3:ListBucket'],
        resources: [archiveBucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': ['archives/*', `${EXPORT_PREFIX}*`] } },
      }),
    );
    target.function.addToRolePolicy(
      new PolicyStatement({
        // The dates of the versions of a secret, not their values.
        actions: ['secretsmanager:ListSecretVersionIds'],
        resources: [...new Set([billing, main].flatMap(passwordSecretsOf)), stripeApiSecretArn, stripeSigningSecretArn],
      }),
    );
    if (recoveryRegion) {
      target.function.addToRolePolicy(
        new PolicyStatement({ actions: ['cloudwatch:GetMetricStatistics'], resources: ['*'] }),
      );
    }
    new FunctionSchedule(this, 'EveryFiveMinutes', {
      target,
      definition: COLLECTOR_SCHEDULE,
      description: 'Collection of sizes, shares and ages',
    });
  }
}

function passwordSecrets<Variable extends string>(
  variable: Variable,
  access: DatabaseAccess,
): Partial<Record<Variable, string>> {
  if (access.logins === undefined) return {};
  return { [variable]: passwordSecretsOf(access).join(',') } as Record<Variable, string>;
}
