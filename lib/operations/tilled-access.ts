import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { TilledApiEnvironment } from '../../core/contract';
import type { EnvironmentConfig } from '../config/environment-schema';
import { grantProviderSecret, type ProviderSecret } from './provider-secret';

/** The secret with the key of the Tilled API. */
export type TilledApiSecret = ProviderSecret;

/** Tilled's two environments have hosts of their own. */
const API_BASES = { live: 'https://api.tilled.com', test: 'https://sandbox-api.tilled.com' } as const;

/** Variables of a function that calls the Tilled API; none where the environment takes no Tilled. */
export function tilledApiEnvironment(
  secret: TilledApiSecret | undefined,
  { stripe: { livemode } }: Pick<EnvironmentConfig, 'stripe'>,
): TilledApiEnvironment {
  if (secret === undefined) return {};
  return { TILLED_API_SECRET_ARN: secret.arn, TILLED_API_BASE: livemode ? API_BASES.live : API_BASES.test };
}

/** Lets a function read the secret of the Tilled API, where there is one. */
export function grantTilledApi(fn: LambdaFunction, secret: TilledApiSecret | undefined): void {
  if (secret !== undefined) grantProviderSecret(fn, 'TilledApiSecret', secret);
}
