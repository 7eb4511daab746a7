import { CfnOutput } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from '../policy/acknowledge';
import { removalPolicyOf } from '../config/removal-policy';

export interface ProviderSecretsProps {
  /** The provider in a sentence, such as `Stripe`. */
  readonly title: string;
  /** Name of the environment, which names contain. */
  readonly environmentName: string;
  /** Keep the secrets and their key when the stack is removed. */
  readonly removalProtection: boolean;
  /** Region that gets copies of both, for an operator to take the values from when this one is lost. @default - none */
  readonly copyRegion?: string;
}

/**
 * The two secrets that a payment provider issues. The stack creates them with random values: until an operator stores the
 * real ones, every webhook is answered 500, so that the provider delivers it again, and every call to its API fails.
 *
 * Never change `generateSecretString`: CloudFormation would overwrite the operator's value with a new random one.
 */
export class ProviderSecrets extends Construct {
  readonly key: Key;
  /** `{"current", "previous"?, "previousExpiresAt"?}`, of an endpoint for connected accounts also as `connect…` */
  readonly signing: Secret;
  /** `{"apiKey"}` */
  readonly api: Secret;

  constructor(scope: Construct, id: string, props: ProviderSecretsProps) {
    super(scope, id);
    const { title } = props;
    const removalPolicy = removalPolicyOf(props.removalProtection);
    const replicaRegions = props.copyRegion === undefined ? undefined : [{ region: props.copyRegion }];
    this.key = new Key(this, 'Key', {
      description: `${title}'s secrets (${props.environmentName})`,
      enableKeyRotation: true,
      removalPolicy,
    });
    this.signing = new Secret(this, 'Signing', {
      description: `Signing secrets of the ${title} webhook endpoint. An operator puts in the value`,
      encryptionKey: this.key,
      generateSecretString: { secretStringTemplate: '{}', generateStringKey: 'current', excludePunctuation: true },
      replicaRegions,
      removalPolicy,
    });
    this.api = new Secret(this, 'Api', {
      description: `Restricted API key of ${title}, for reconciliation. An operator puts in the value`,
      encryptionKey: this.key,
      generateSecretString: { secretStringTemplate: '{}', generateStringKey: 'apiKey', excludePunctuation: true },
      replicaRegions,
      removalPolicy,
    });
    for (const secret of [this.signing, this.api]) {
      acknowledge(secret, {
        nag: ['AwsSolutions-SMG4', 'NIST.800.53.R5-SecretsManagerRotationEnabled'],
        reason:
          'The provider issues the secret and offers no API to roll it: an operator rolls it, and both values are accepted meanwhile',
      });
    }
    // ARNs, because a recreated secret may have the name of a deleted one.
    new CfnOutput(this, 'SigningSecret', {
      description: 'Secret that takes the signing secret of the webhook endpoint',
      value: this.signing.secretArn,
    });
    new CfnOutput(this, 'ApiSecret', {
      description: 'Secret that takes the restricted API key',
      value: this.api.secretArn,
    });
  }
}
