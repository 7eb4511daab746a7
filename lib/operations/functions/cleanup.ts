import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { CleanupEnvironment, CleanupRequest } from '../../../lambdas/cleanup/contract';
import { EVENT_RETENTION_DAYS } from '../../config/policies';
import { CLEANUP_SCHEDULE } from '../../config/schedules';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment } from '../database-connection';
import { FunctionSchedule } from '../function-schedule';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface CleanupProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach the billing database. */
  readonly billing: DatabaseAccess;
}

/** Deletes processed events past their retention, once a day. Failed events are kept. */
export class Cleanup extends Construct {
  constructor(scope: Construct, id: string, props: CleanupProps) {
    super(scope, id);
    const target = new OperationalFunction<CleanupEnvironment>(this, 'Cleanup', {
      context: props.context,
      stem: 'cleanup',
      description: 'Deletes processed events that are past their retention',
      environment: { ...billingDatabaseEnvironment(props.billing), RETENTION_DAYS: String(EVENT_RETENTION_DAYS) },
      timeout: Duration.minutes(15),
      memorySize: 512,
      databases: [props.billing],
      reservedConcurrentExecutions: 1,
      // The next run deletes what this one left.
      asynchronous: { retryAttempts: 1, maximumAge: Duration.hours(1) },
    });
    new FunctionSchedule(this, 'EveryNight', {
      target,
      definition: CLEANUP_SCHEDULE,
      description: 'Deletion of events past their retention',
      input: { dryRun: false } satisfies CleanupRequest,
    });
  }
}
