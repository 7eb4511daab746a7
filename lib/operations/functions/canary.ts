import { Duration } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { CanaryEnvironment } from '../../../lambdas/canary/contract';
import { CANARY_SCHEDULE } from '../../config/schedules';
import { FunctionSchedule } from '../function-schedule';
import { OperationalFunction, type OperationsContext } from '../operational-function';
import { grantProviderSecret, type ProviderSecret } from '../provider-secret';

export interface CanaryProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** Public URL of the endpoint that Stripe delivers to. */
  readonly endpointUrl: string;
  /** Secret that the endpoint verifies signatures with. */
  readonly signingSecret: ProviderSecret;
  /** Function that is asked for the event's row. */
  readonly inspect: IFunction;
}

/**
 * Sends a signed event of the platform's own through the public endpoint every five minutes, and looks for its row. It has no
 * way to a database: it may ask the function that reads. It comes from outside like Stripe, and through the NAT gateways only where
 * the firewall admits nobody whose address is not listed.
 */
export class Canary extends Construct {
  constructor(scope: Construct, id: string, props: CanaryProps) {
    super(scope, id);
    const { context, signingSecret, inspect } = props;
    const { firewall, stripe } = context.config;
    const addressesListed = firewall && stripe.webhookAddresses.length > 0;
    const target = new OperationalFunction<CanaryEnvironment>(this, 'Canary', {
      context,
      stem: 'canary',
      description: 'Sends a signed event through the endpoint and looks for its row in the ledger',
      environment: {
        ENDPOINT_URL: props.endpointUrl,
        STRIPE_SIGNING_SECRET_ARN: signingSecret.arn,
        INSPECT_FUNCTION_NAME: inspect.functionName,
        ADDRESSES_LISTED: String(addressesListed),
      },
      // The answer of the endpoint, and two minutes for the row; less than the time between two starts.
      timeout: Duration.minutes(3),
      memorySize: 256,
      inNetwork: addressesListed,
      reservedConcurrentExecutions: 1,
      // No retry: the next run replaces this one.
      asynchronous: { retryAttempts: 0, maximumAge: Duration.minutes(4) },
    });
    grantProviderSecret(target.function, 'StripeSigningSecret', signingSecret);
    target.function.addToRolePolicy(
      new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [inspect.functionArn] }),
    );
    new FunctionSchedule(this, 'EveryFiveMinutes', {
      target,
      definition: CANARY_SCHEDULE,
      description: 'Signed event through the endpoint',
    });
  }
}
