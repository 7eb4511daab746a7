import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';

/** A secret that a payment provider issues, such as an API key or the signing secret of an endpoint. */
export interface ProviderSecret {
  /** Complete ARN. */
  readonly arn: string;
  /** Customer-managed key of the secret. */
  readonly key: IKey;
}

/**
 * Lets a function read a provider's secret.
 *
 * @param id of the construct that stands for the secret, unique in the function
 */
export function grantProviderSecret(fn: LambdaFunction, id: string, secret: ProviderSecret): void {
  // Imported by its ARN: a grant on the resource itself would put the function's role into a key policy of the Data stack.
  Secret.fromSecretCompleteArn(fn, id, secret.arn).grantRead(fn);
  secret.key.grantDecrypt(fn);
}
