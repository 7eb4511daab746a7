import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { KeysEnvironment } from '../../../lambdas/keys/contract';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment } from '../database-connection';
import { OperationalFunction, type OperationsContext } from '../operational-function';
import { grantProviderSecret, type ProviderSecret } from '../provider-secret';

export interface KeysProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach the billing database. */
  readonly billing: DatabaseAccess;
  /** Secret that keys are hashed under. */
  readonly keySecret: ProviderSecret;
}

/** Creates, lists, rotates and revokes keys of the API. Invoked by an operator. */
export class Keys extends Construct {
  constructor(scope: Construct, id: string, props: KeysProps) {
    super(scope, id);
    const { function: fn } = new OperationalFunction<KeysEnvironment>(this, 'Keys', {
      context: props.context,
      stem: 'keys',
      description: 'Creates, lists, rotates and revokes keys of the API',
      environment: { ...billingDatabaseEnvironment(props.billing), API_KEY_SECRET_ARN: props.keySecret.arn },
      timeout: Duration.minutes(1),
      memorySize: 256,
      databases: [props.billing],
      reservedConcurrentExecutions: 1,
    });
    grantProviderSecret(fn, 'ApiKeySecret', props.keySecret);
  }
}
