import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { type ErasureEnvironment, type ErasureHook, ERASURE_PREFIX, formatHooks } from '../../core/erasure/contract';
import { grantReadingVersions } from './archive-access';
import { grantProviderSecret, type ProviderSecret } from './provider-secret';

/** How functions know who was erased. */
export interface ErasureAccess {
  /** Secret that people are hashed under. */
  readonly keySecret: ProviderSecret;
  /** What is erased from the main database. */
  readonly hooks: readonly ErasureHook[];
}

/** Variables of a function that erases people, or restores what they may be in. */
export function erasureEnvironment({ keySecret, hooks }: ErasureAccess): {
  [Name in keyof ErasureEnvironment]: string;
} {
  return { ERASURE_KEY_SECRET_ARN: keySecret.arn, ERASURE_HOOKS: formatHooks(hooks) };
}

/** Lets a function read who was erased. */
export function grantReadingErasures(fn: LambdaFunction, bucket: IBucket, { keySecret }: ErasureAccess): void {
  grantReadingVersions(fn, bucket, `${ERASURE_PREFIX}*`);
  grantProviderSecret(fn, 'ErasureKeySecret', keySecret);
}
