import { Stack } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { acknowledge } from './acknowledge';

/** Wildcards in the policy of one role, and why they cannot be exact. */
export interface Wildcards {
  /** Such as `kms:GenerateDataKey*`. @default - none */
  readonly actions?: readonly string[];
  /** ARNs with a wildcard, as they are granted; they may hold tokens. @default - none */
  readonly resources?: readonly string[];
  /** Why no exact action or resource can be named. */
  readonly reason: string;
}

/**
 * Accepts wildcards in the policy of a role, one by one. The list of all of them is in
 * `test/lib/policy/wildcards.test.ts`.
 */
export function acknowledgeWildcards(role: IConstruct, ...wildcards: readonly Wildcards[]): void {
  for (const { actions = [], resources = [], reason } of wildcards) {
    acknowledge(role, {
      nag: [
        ...actions.map((action) => `AwsSolutions-IAM5[Action::${action}]`),
        ...resources.map((arn) => `AwsSolutions-IAM5[Resource::${flattened(Stack.of(role).resolve(arn))}]`),
      ],
      reason,
    });
  }
}

/**
 * Accepts that the permissions of a role are an inline policy. Call it where the role is created.
 *
 * @param role with grants of its own, which the framework puts into one policy beneath it
 */
export function acknowledgeOwnPolicy(role: IConstruct): void {
  acknowledge(role, {
    nag: ['NIST.800.53.R5-IAMNoInlinePolicy', 'PCI.DSS.321-IAMNoInlinePolicy'],
    reason:
      'The policy is generated from grants for this one role, reviewed in the template with it and deleted with it; a managed policy could be attached to other roles',
  });
}

/** Accepts a policy that AWS maintains for one of its services. */
export function acknowledgeManagedPolicy(role: IConstruct, name: string, reason: string): void {
  acknowledge(role, {
    nag: [`AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${name}]`],
    reason,
  });
}

/** An ARN as cdk-nag writes it into the id of a finding: references in angle brackets, imports by their names. */
function flattened(value: unknown): string {
  if (typeof value === 'string') return value.replaceAll('${', '<').replaceAll('}', '>');
  const [[intrinsic, argument] = []] = Object.entries(value as Record<string, unknown>);
  switch (intrinsic) {
    case 'Ref':
      return `<${flattened(argument)}>`;
    case 'Fn::GetAtt':
      return `<${(argument as string[]).join('.')}>`;
    case 'Fn::ImportValue':
      return flattened(argument);
    case 'Fn::Join': {
      const [delimiter, parts] = argument as [string, unknown[]];
      return parts.map(flattened).join(delimiter);
    }
    default:
      throw new Error(`An ARN cannot hold ${JSON.stringify(value)}`);
  }
}
