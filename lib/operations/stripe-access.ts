import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { EnvironmentConfig } from '../config/environment-schema';

/** The secret that opens the Stripe API. */
export interface StripeApiSecret {
  readonly arn: string;
  readonly key: IKey;
}

/** Variables of a function that calls the Stripe API. */
export function stripeApiEnvironment(secret: StripeApiSecret, { stripe }: EnvironmentConfig) {
  return { STRIPE_API_SECRET_ARN: secret.arn, STRIPE_API_BASE: stripe.apiBase, LIVEMODE: String(stripe.livemode) };
}

/** Variables of a function that applies events: to what objects belong whose metadata name nothing. */
export function objectDefaults({ stripe }: EnvironmentConfig) {
  return { DEFAULT_APP_ID: stripe.defaultAppId, DEFAULT_PROJECT_ID: stripe.defaultProjectId };
}

/** Lets a function read the secret of the Stripe API. */
export function grantStripeApi(fn: LambdaFunction, secret: StripeApiSecret): void {
  // As a name only: a grant on the resource itself would write the function's role into a key policy of the Data stack.
  Secret.fromSecretCompleteArn(fn, 'StripeApiSecret', secret.arn).grantRead(fn);
  secret.key.grantDecrypt(fn);
}
