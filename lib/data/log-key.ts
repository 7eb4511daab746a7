import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RegionInfo } from 'aws-cdk-lib/region-info';
import type { Construct } from 'constructs';
import { removalPolicyOf } from '../config/removal-policy';

export interface LogKeyProps {
  /** Name of the environment, which names contain. */
  readonly environmentName: string;
  /** Keep the key, as the logs are kept, when the stack is removed. */
  readonly removalProtection: boolean;
}

/** The key of all logs of an environment: readers need it as well, and every use is in the audit trail. */
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
        // As the region calls the service: in China it ends in `.cn`.
        principals: [new ServicePrincipal(`logs.${stack.region}.${RegionInfo.get(stack.region).domainSuffix}`)],
        // The actions that CloudWatch Logs documents; it does not list the exact ones.
        actions: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
        // In a key's policy, `*` is this key.
        resources: ['*'],
        // Only for log groups of this account: without the condition, the key would work for log groups of any account.
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
