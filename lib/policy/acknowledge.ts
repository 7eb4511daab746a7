import { CfnResource, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Findings of policy tools that are accepted on one resource, with the reason that auditors read. */
export interface Acknowledgement {
  /**
   * Full ids of cdk-nag, such as `AwsSolutions-SQS3` or `AwsSolutions-IAM5[Resource::*]`, or of the validator of every
   * synthesis, such as `CloudFormation-Validate::W3010`. @default - none
   */
  readonly nag?: readonly string[];
  /** Ids of checkov, such as `CKV_AWS_27`. @default - none */
  readonly checkov?: readonly string[];
  /** Ids of cfn-lint, such as `W3005`. @default - none */
  readonly cfnLint?: readonly string[];
  /**
   * Why the finding is acceptable here: the compensating control, or why the rule cannot be met. A sentence for auditors.
   */
  readonly reason: string;
}

/** What checkov reads from the metadata of a resource. */
interface CheckovMetadata {
  readonly skip: readonly { readonly id: string; readonly comment: string }[];
}

/** What cfn-lint reads from the metadata of a resource; it ignores the reasons. */
interface CfnLintMetadata {
  readonly config: { readonly ignore_checks: readonly string[] };
  readonly reasons: Readonly<Record<string, string>>;
}

/**
 * Accepts findings on one resource, beside the resource. `npm run test:policy` fails on findings without an
 * acknowledgement, and on acknowledgements without a finding.
 *
 * @param construct a resource, or the framework construct that creates one; never a stack or a group of resources
 */
export function acknowledge(construct: IConstruct, ...acknowledgements: readonly Acknowledgement[]): void {
  for (const { nag = [], checkov = [], cfnLint = [], reason } of acknowledgements) {
    if (nag.length > 0) Validations.of(construct).acknowledge(...nag.map((id) => ({ id, reason })));
    if (checkov.length > 0) skipChecks(resourceOf(construct), checkov, reason);
    if (cfnLint.length > 0) ignoreChecks(resourceOf(construct), cfnLint, reason);
  }
}

function resourceOf(construct: IConstruct): CfnResource {
  const resource = construct.node.defaultChild ?? construct;
  if (!CfnResource.isCfnResource(resource)) {
    throw new Error(`${construct.node.path} is not a resource: acknowledge a finding on the resource that has it`);
  }
  return resource;
}

function skipChecks(resource: CfnResource, ids: readonly string[], reason: string): void {
  const { skip } = (resource.getMetadata('checkov') as CheckovMetadata | undefined) ?? { skip: [] };
  resource.addMetadata('checkov', {
    skip: [...skip, ...ids.map((id) => ({ id, comment: reason }))],
  } satisfies CheckovMetadata);
}

function ignoreChecks(resource: CfnResource, ids: readonly string[], reason: string): void {
  const before = resource.getMetadata('cfn-lint') as CfnLintMetadata | undefined;
  resource.addMetadata('cfn-lint', {
    config: { ignore_checks: [...(before?.config.ignore_checks ?? []), ...ids] },
    reasons: { ...before?.reasons, ...Object.fromEntries(ids.map((id) => [id, reason])) },
  } satisfies CfnLintMetadata);
}
