import { Duration } from 'aws-cdk-lib';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { AUDIT_PREFIX, type AuditEnvironment } from '../../../lambdas/audit/contract';
import { grantReading, grantWritingLocked } from '../archive-access';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface AuditProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** Bucket that records are written to, under a lock of a year. */
  readonly archiveBucket: IBucket;
}

/**
 * Records what operators do. Outside the network and without a database: an action that repairs a database must be recorded
 * too.
 */
export class Audit extends Construct {
  readonly function: IFunction;

  constructor(scope: Construct, id: string, props: AuditProps) {
    super(scope, id);
    const { archiveBucket } = props;
    const { function: fn } = new OperationalFunction<AuditEnvironment>(this, 'Audit', {
      context: props.context,
      stem: 'audit',
      description: 'Records what operators do, and lists it',
      environment: { ARCHIVE_BUCKET: archiveBucket.bucketName },
      timeout: Duration.minutes(1),
      memorySize: 512,
      reservedConcurrentExecutions: 3,
    });
    this.function = fn;
    grantWritingLocked(fn, archiveBucket, `${AUDIT_PREFIX}*`);
    grantReading(fn, archiveBucket, `${AUDIT_PREFIX}*`);
  }
}
