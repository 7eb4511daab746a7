import { Stack, Token } from 'aws-cdk-lib';
import { CfnBackupPlan } from 'aws-cdk-lib/aws-backup';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import { CfnDBInstance } from 'aws-cdk-lib/aws-rds';
import { CfnBucket } from 'aws-cdk-lib/aws-s3';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct, type IConstruct } from 'constructs';
import { functionName } from '../../core/contract';

/** Name of the policy by which a function sees where the resources of a stack are. IAM's names are those of all regions. */
export function residencyPolicyName(environmentName: string, stack: string, region: string): string {
  return `${functionName(environmentName, stack)}-residency-${region}`;
}

export interface ResidencyReadsProps {
  /** Name of the environment, which the name of the policy contains. */
  readonly environmentName: string;
  /** Last part of the name of the stack, such as `Data`. */
  readonly part: string;
}

/** What is asked of each kind of resource that the stack has. */
interface Look {
  readonly actions: readonly string[];
  /** ARN of a resource of the kind; `undefined` of any other. */
  readonly arnOf: (resource: IConstruct) => string | undefined;
}

const LOOKS: readonly Look[] = [
  {
    actions: ['s3:GetBucketLocation', 's3:GetReplicationConfiguration'],
    arnOf: (each) => (each instanceof CfnBucket ? each.attrArn : undefined),
  },
  { actions: ['secretsmanager:DescribeSecret'], arnOf: (each) => (each instanceof CfnSecret ? each.ref : undefined) },
  {
    actions: ['rds:DescribeDBInstances'],
    arnOf: (each) => (each instanceof CfnDBInstance ? each.attrDbInstanceArn : undefined),
  },
  {
    actions: ['backup:GetBackupPlan'],
    arnOf: (each) => (each instanceof CfnBackupPlan ? each.attrBackupPlanArn : undefined),
  },
  {
    actions: ['logs:DescribeSubscriptionFilters'],
    // Those with a name of their own are scanned for card numbers, and in the policies for that.
    arnOf: (each) =>
      each instanceof CfnLogGroup && (each.logGroupName === undefined || Token.isUnresolved(each.logGroupName))
        ? each.attrArn
        : undefined,
  },
];

/**
 * A managed policy that lets its holder see where the data of a stack, and each copy of it, is, each resource by its exact ARN. It
 * belongs to the stack that makes the resources: were their ARNs exported instead, CloudFormation would not let the stack remove one.
 * Construct it last: it names what the stack has by then.
 */
export class ResidencyReads extends Construct {
  constructor(scope: Stack, id: string, { environmentName, part }: ResidencyReadsProps) {
    super(scope, id);
    const resources = scope.node.findAll();
    new ManagedPolicy(this, 'Policy', {
      managedPolicyName: residencyPolicyName(environmentName, part, scope.region),
      description: `Where data of ${scope.stackName} is`,
      statements: LOOKS.flatMap(({ actions, arnOf }) => {
        const arns = resources.flatMap((each) => arnOf(each) ?? []);
        return arns.length === 0 ? [] : [new PolicyStatement({ actions: [...actions], resources: arns })];
      }),
    });
  }
}
