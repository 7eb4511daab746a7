import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Construct } from 'constructs';

/** Instances of one database, and the users of people on them. */
export interface PeopleOfInstances {
  /** Names of database users. */
  readonly users: readonly string[];
  /** Resource ids (`db-…`) of the instance and of its replica for reports. */
  readonly resourceIds: readonly string[];
}

export interface PeoplePoliciesProps {
  /** Name of the environment, which names contain. */
  readonly environmentName: string;
  /** Of each database. */
  readonly databases: readonly PeopleOfInstances[];
}

/** Name of the policy that lets its holder log in as a user. Permission sets of Identity Center attach it by its name. */
export function personPolicyName(environmentName: string, user: string): string {
  return `BillingOps-${environmentName}-database-${user}`;
}

/**
 * A managed policy for each person. The stacks attach it to no principal. Its holder logs in to the databases as this user, and as
 * no other, so that the log says who it was.
 */
export class PeoplePolicies extends Construct {
  constructor(scope: Construct, id: string, { environmentName, databases }: PeoplePoliciesProps) {
    super(scope, id);
    const names = new Set(databases.flatMap(({ users }) => users));
    for (const user of [...names].toSorted()) {
      const instances = databases.filter(({ users }) => users.includes(user)).flatMap(({ resourceIds }) => resourceIds);
      new ManagedPolicy(this, user, {
        managedPolicyName: personPolicyName(environmentName, user),
        description: `Logs in to the databases of billing (${environmentName}) as ${user}`,
        statements: [
          new PolicyStatement({
            actions: ['rds-db:connect'],
            resources: instances.map((resourceId) =>
              Stack.of(this).formatArn({
                service: 'rds-db',
                resource: 'dbuser',
                resourceName: `${resourceId}/${user}`,
                arnFormat: ArnFormat.COLON_RESOURCE_NAME,
              }),
            ),
          }),
        ],
      });
    }
  }
}
