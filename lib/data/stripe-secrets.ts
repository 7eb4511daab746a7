import { CfnOutput } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from '../policy/acknowledge';
import { removalPolicyOf } from '../config/removal-policy';

export interface StripeSecretsProps {
  readonly environmentName: string;
  readonly removalProtection: boolean;
}

/**
 * The two secrets that Stripe issues. The stack makes them with a random value that nobody knows, so that until an
 * operator puts in the real one, every webhook is answered 500 – Stripe delivers it again – and every call to Stripe fails.
 *
 * Never change `generateSecretString`: CloudFormation would generate again, over the operator's value.
 */
export class StripeSecrets extends Construct {
  readonly key: Key;
  /** `{"current", "previous"?, "previousExpiresAt"?}`, of an endpoint for connected accounts also as `connect…` */
  readonly signing: Secret;
  /** `{"apiKey"}` */
  readonly api: Secret;

  constructor(scope: Construct, id: string, props: StripeSecretsProps) {
    super(scope, id);
    const removalPolicy = removalPolicyOf(props.removalProtection);
    this.key = new Key(this, 'Key', {
      description: `Stripe's secrets (${props.environmentName})`,
      enableKeyRotation: true,
      removalPolicy,
    });
    this.signing = new Secret(this, 'Signing', {
      description: 'Signing secrets of the Stripe webhook endpoint. An operator puts in the value',
      encryptionKey: this.key,
      generateSecretString: { secretStringTemplate: '{}', generateStringKey: 'current', excludePunctuation: true },
      removalPolicy,
    });
    this.api = new Secret(this, 'Api', {
      description: 'Restricted API key of Stripe, for reconciliation. An operator puts in the value',
      encryptionKey: this.key,
      generateSecretString: { secretStringTemplate: '{}', generateStringKey: 'apiKey', excludePunctuation: true },
      removalPolicy,
    });
    for (const secret of [this.signing, this.api]) {
      acknowledge(secret, {
        nag: ['AwsSolutions-SMG4', 'NIST.800.53.R5-SecretsManagerRotationEnabled'],
        reason: 'Issued by Stripe, which has no call to roll it: a person does, and both values are taken meanwhile',
      });
    }
    // As ARNs: two secrets may come to the same name, one after the other.
    new CfnOutput(this, 'SigningSecret', {
      description: 'Put the signing secret of the webhook endpoint in here',
      value: this.signing.secretArn,
    });
    new CfnOutput(this, 'ApiSecret', {
      description: 'Put the restricted API key in here',
      value: this.api.secretArn,
    });
  }
}
