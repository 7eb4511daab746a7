import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { EnvironmentConfig } from '../config/environment-schema';
import { grantProviderSecret, type ProviderSecret } from './provider-secret';

/** The secret with the key of the Stripe API. */
export type StripeApiSecret = ProviderSecret;

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
  grantProviderSecret(fn, 'StripeApiSecret', secret);
}
