import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { removalPolicyOf } from '../config/removal-policy';
import { acknowledge } from '../policy/acknowledge';

const LENGTH = 64;

export interface ApiKeySecretProps {
  /** Encrypts the secret. */
  readonly key: IKey;
  /** Keep the secret when the stack is removed. */
  readonly removalProtection: boolean;
  /** Region that gets a copy, so that keys stay valid when this one is lost. @default - none */
  readonly copyRegion?: string;
}

/**
 * The secret that the keys of the API are hashed under, so that whoever reads the database, or an archive of it, cannot test
 * guesses. Another value makes every key invalid.
 */
export class ApiKeySecret extends Secret {
  constructor(scope: Construct, id: string, props: ApiKeySecretProps) {
    super(scope, id, {
      description: 'Keys of the API are hashed under it. Another value makes every key invalid',
      encryptionKey: props.key,
      generateSecretString: {
        secretStringTemplate: '{}',
        generateStringKey: 'current',
        excludePunctuation: true,
        passwordLength: LENGTH,
      },
      replicaRegions: props.copyRegion === undefined ? undefined : [{ region: props.copyRegion }],
      removalPolicy: removalPolicyOf(props.removalProtection),
    });
    acknowledge(this, {
      nag: ['AwsSolutions-SMG4', 'NIST.800.53.R5-SecretsManagerRotationEnabled'],
      reason: 'The digests of keys are made with it: a rotation would make every key invalid at once',
    });
  }
}
