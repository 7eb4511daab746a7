import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import { removalPolicyOf } from '../config/removal-policy';

export interface LogKeyProps {
  readonly environmentName: string;
  /** Keep the key, as the logs are kept, when the stack is removed. */
  readonly removalProtection: boolean;
}

/** The key of all logs of an environment: who reads them needs it too, and its use is in the audit trail. */
export class LogKey extends Key {
  constructor(scope: Construct, id: string, props: LogKeyProps) {
    super(scope, id, {
      description: `Logs (${props.environmentName})`,
      enableKeyRotation: true,
      removalPolicy: removalPolicyOf(props.removalProtection),
    });
    const stack = Stack.of(this);
    this.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
        // As CloudWatch Logs asks for it; it does not say which of each kind it uses.
        actions: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
        // In a key's policy, `*` is this key.
        resources: ['*'],
        // Only for log groups of this account: without it, anybody's could be encrypted, and read, with it.
        conditions: {
          ArnLike: {
            'kms:EncryptionContext:aws:logs:arn': stack.formatArn({
              service: 'logs',
              resource: 'log-group',
              resourceName: '*',
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          },
        },
      }),
    );
  }
}
