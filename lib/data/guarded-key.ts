import { Stack } from 'aws-cdk-lib';
import { AccountPrincipal, AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';

/** What makes everything unreadable that a key encrypts, at once or later, or lifts the guard. */
const ENDING_ACTIONS = [
  'kms:DeleteImportedKeyMaterial',
  'kms:DisableKey',
  'kms:PutKeyPolicy',
  'kms:ScheduleKeyDeletion',
];

/** ARN of the role that CloudFormation deploys a stack with, as `cdk bootstrap` names it, whatever its qualifier is. */
export function deploymentRoleArn(stack: Stack): string {
  return stack.formatArn({
    service: 'iam',
    region: '',
    resource: 'role',
    resourceName: `cdk-*-cfn-exec-role-${stack.account}-${stack.region}`,
  });
}

/**
 * Denies what ends a key to everyone, administrators included, but the break-glass role. The role that CloudFormation
 * deploys with may take back a key that it has just made, because a deployment leaves a reviewed trace.
 *
 * @param breakGlassRoleArn @default - nobody may
 */
export function guardKey(key: Key, breakGlassRoleArn: string | undefined): void {
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'KeepKey',
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ENDING_ACTIONS,
      // In a key's policy, `*` is this key.
      resources: ['*'],
      conditions: {
        ArnNotLike: {
          'aws:PrincipalArn': [...(breakGlassRoleArn ? [breakGlassRoleArn] : []), deploymentRoleArn(Stack.of(key))],
        },
      },
    }),
  );
}

/**
 * Lets AWS Backup of another account read what the key encrypts, to copy it there under a key of that account. Recovery points of
 * RDS keep the key of their instance; what is copied is encrypted again.
 */
export function shareForCopies(key: Key, account: string): void {
  const principals = [new AccountPrincipal(account)];
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'CopyToBackupAccount',
      principals,
      actions: ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:ReEncrypt*'],
      // In a key's policy, `*` is this key.
      resources: ['*'],
    }),
  );
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'CopyToBackupAccountByGrant',
      principals,
      actions: ['kms:CreateGrant', 'kms:ListGrants', 'kms:RevokeGrant'],
      resources: ['*'],
      conditions: { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    }),
  );
}
