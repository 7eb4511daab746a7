import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { CollectorEnvironment } from '../../lambdas/collector/contract';
import type { DatabaseName } from '../../lambdas/shared/contract';
import { COLLECTOR_SCHEDULE } from '../config/schedules';
import { billingDatabaseEnvironment, mainDatabaseEnvironment, type DatabaseAccess } from './database-access';
import { FunctionSchedule } from './function-schedule';
import { OperationalFunction, type OperationsContext } from './operational-function';

export interface CollectorProps {
  readonly context: OperationsContext;
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
}

/** Publishes what must be looked up to be known: sizes and shares. */
export class Collector extends Construct {
  constructor(scope: Construct, id: string, props: CollectorProps) {
    super(scope, id);
    const { billing, main } = props.databases;
    const target = new OperationalFunction<CollectorEnvironment>(this, 'Collector', {
      context: props.context,
      stem: 'collector',
      description: 'Publishes database sizes and the share of failing subscriptions',
      environment: {
        ...billingDatabaseEnvironment(billing),
        ...mainDatabaseEnvironment(main),
        BILLING_INSTANCE_IDENTIFIER: billing.instanceIdentifier ?? '',
        MAIN_INSTANCE_IDENTIFIER: main.instanceIdentifier ?? '',
        BILLING_ALLOCATED_STORAGE_GIB: String(billing.allocatedStorageGiB),
        MAIN_ALLOCATED_STORAGE_GIB: String(main.allocatedStorageGiB),
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
          // Storage autoscaling changes the size of the disk, and only RDS knows it.
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
    new FunctionSchedule(this, 'EveryFiveMinutes', {
      target,
      definition: COLLECTOR_SCHEDULE,
      description: 'Collection of sizes and shares',
    });
  }
}
