import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { EnvironmentConfig } from '../config/environment-schema';

/** The secret with the key of the Stripe API. */
export interface StripeApiSecret {
  /** Complete ARN. */
  readonly arn: string;
  /** Customer-managed key of the secret. */
  readonly key: IKey;
}

/** Variables of a function that calls the Stripe API. */
export function stripeApiEnvironment(secret: StripeApiSecret, { stripe }: EnvironmentConfig) {
  return { STRIPE_API_SECRET_ARN: secret.arn, STRIPE_API_BASE: stripe.apiBase, LIVEMODE: String(stripe.livemode) };
}

/** Variables of a function that applies events: app and project of objects whose metadata names none. */
export function objectDefaults({ stripe }: EnvironmentConfig) {
  return { DEFAULT_APP_ID: stripe.defaultAppId, DEFAULT_PROJECT_ID: stripe.defaultProjectId };
}

/** Lets a function read the secret of the Stripe API. */
export function grantStripeApi(fn: LambdaFunction, secret: StripeApiSecret): void {
  // Imported by its ARN: a grant on the resource itself would put the function's role into a key policy of the Data stack.
  Secret.fromSecretCompleteArn(fn, 'StripeApiSecret', secret.arn).grantRead(fn);
  secret.key.grantDecrypt(fn);
}
