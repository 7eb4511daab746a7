import { CfnOutput, Stack } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import { removalPolicyOf } from '../config/removal-policy';

export interface ArchiveSigningKeyProps {
  /** Name of the environment. */
  readonly environmentName: string;
  /** Keep the key, as the archives are kept, when the stack is removed. */
  readonly removalProtection: boolean;
}

/**
 * Name of the role that signs manifests. Fixed, because the policy of the key names it before the role exists. With the
 * region, because roles are global: the environment may have to be deployed again in another region.
 */
export function signingRoleName(environmentName: string, region: string): string {
  return `BillingOps-${environmentName}-backup-${region}`;
}

/**
 * The key by which an environment knows the archives that its own backups wrote. Who may put an object into the bucket can
 * write a manifest, but cannot sign it: only the role of the backup function may, administrators included.
 */
export class ArchiveSigningKey extends Key {
  constructor(scope: Construct, id: string, props: ArchiveSigningKeyProps) {
    super(scope, id, {
      description: `Signs archives (${props.environmentName})`,
      // Its public half checks a signature anywhere, even without AWS.
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      removalPolicy: removalPolicyOf(props.removalProtection),
    });
    new CfnOutput(this, 'Arn', {
      description: 'Key that signs archives; its public half checks them',
      value: this.keyArn,
    });
    const stack = Stack.of(this);
    this.addToResourcePolicy(
      new PolicyStatement({
        sid: 'OnlyBackupsSign',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['kms:Sign'],
        // In a key's policy, `*` is this key.
        resources: ['*'],
        conditions: {
          ArnNotEquals: {
            'aws:PrincipalArn': stack.formatArn({
              service: 'iam',
              region: '',
              resource: 'role',
              resourceName: signingRoleName(props.environmentName, stack.region),
            }),
          },
        },
      }),
    );
  }
}
