import { DefaultStackSynthesizer, PermissionsBoundary, Stack, Tags, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { EnvironmentConfig } from '../config/environment-schema';

export interface EnvironmentStackProps extends Pick<StackProps, 'terminationProtection' | 'description'> {
  /** Configuration of the environment. */
  readonly config: EnvironmentConfig;
  /** @default - the region of the environment */
  readonly region?: string;
}

/** A stack of one environment: in its account and region, tagged, synthesised without access to AWS. */
export abstract class EnvironmentStack extends Stack {
  private readonly config: EnvironmentConfig;

  /** @param part last part of the stack's name, such as `Data` */
  constructor(scope: Construct, part: string, props: EnvironmentStackProps) {
    const { config, region = config.region, ...stackProps } = props;
    super(scope, `BillingOps-${config.name}-${part}`, {
      ...stackProps,
      env: { account: config.account, region },
      // CloudFormation takes 1 MB, of which the indentation would be half.
      suppressTemplateIndentation: true,
      // Of the stack, not of each resource: CloudFormation passes them on, and ten in hundreds of resources would not fit.
      tags: config.tags,
      permissionsBoundary:
        config.permissionsBoundaryArn === undefined
          ? undefined
          : PermissionsBoundary.fromArn(config.permissionsBoundaryArn),
      synthesizer:
        config.bootstrapQualifier === undefined
          ? undefined
          : new DefaultStackSynthesizer({ qualifier: config.bootstrapQualifier }),
    });
    this.config = config;
    Tags.of(this).add('application', 'billing-operations');
    Tags.of(this).add('environment', config.name);
  }

  /** Zones from the configuration, because the framework would look them up in the account. */
  override get availabilityZones(): string[] {
    return this.config.existingNetwork?.availabilityZones ?? this.config.availabilityZones ?? super.availabilityZones;
  }
}
