import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { removalPolicyOf } from '../config/removal-policy';
import { acknowledge } from '../policy/acknowledge';

const LENGTH = 64;

export interface ErasureKeySecretProps {
  /** Encrypts the secret. */
  readonly key: IKey;
  /** Keep the secret when the stack is removed. */
  readonly removalProtection: boolean;
  /** Region that gets a copy, so that a restore there can read the ledger. @default - none */
  readonly copyRegion?: string;
}

/**
 * The secret that people who were erased are hashed under, in the ledger and in tombstones. Another value makes the ledger
 * unreadable, and every restore refuses.
 */
export class ErasureKeySecret extends Secret {
  constructor(scope: Construct, id: string, props: ErasureKeySecretProps) {
    super(scope, id, {
      description: 'People who were erased are hashed under it. Another value makes every restore refuse',
      encryptionKey: props.key,
      generateSecretString: {
        secretStringTemplate: '{}',
        generateStringKey: 'key',
        excludePunctuation: true,
        passwordLength: LENGTH,
      },
      replicaRegions: props.copyRegion === undefined ? undefined : [{ region: props.copyRegion }],
      removalPolicy: removalPolicyOf(props.removalProtection),
    });
    acknowledge(this, {
      nag: ['AwsSolutions-SMG4', 'NIST.800.53.R5-SecretsManagerRotationEnabled'],
      reason: 'The digests of the ledger are made with it: a rotation would make the ledger unreadable',
    });
  }
}
