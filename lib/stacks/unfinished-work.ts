import { paginateDescribeDBInstances, type DBInstance, type RDSClient } from '@aws-sdk/client-rds';
import { paginateListExecutions, type ExecutionListItem, type SFNClient } from '@aws-sdk/client-sfn';
import { DATABASE_NAMES } from '../../core/contract';
import { TEMPORARY_TAG } from '../config/recovery-policy';

/** What still works in an environment, or was left by a workflow: the stacks cannot be removed under it. */
export interface UnfinishedWork {
  /** Running executions that make instances, or change the one in use. */
  readonly executions: readonly ExecutionListItem[];
  /** Instances that workflows made or set aside: they use the subnets and the parameter groups of the Data stack. */
  readonly instances: readonly DBInstance[];
  /** Running executions that only wait: to remind of an instance, or to remove it. They may be stopped once there is none. */
  readonly waiting: readonly ExecutionListItem[];
}

/** Names of the state machines that only wait: expiries of temporary instances, reminders of what a recovery left. */
const ONLY_WAITS = /-((rows|archive|drill)-expiry|recovery-leftovers)-(billing|main)$/;

/** Finds the running executions of these state machines, and the instances beside those in use. */
export async function findUnfinishedWork(
  { rds, stepFunctions }: { readonly rds: RDSClient; readonly stepFunctions: SFNClient },
  environmentName: string,
  stateMachineArns: readonly string[],
): Promise<UnfinishedWork> {
  const running = (await Promise.all(stateMachineArns.map((arn) => runningOf(stepFunctions, arn)))).flat();
  const onlyWaits = ({ stateMachineArn = '' }: ExecutionListItem) => ONLY_WAITS.test(stateMachineArn);
  return {
    executions: running.filter((execution) => !onlyWaits(execution)),
    waiting: running.filter(onlyWaits),
    instances: await besideThoseInUse(rds, environmentName),
  };
}

/** A line for each execution and instance in the way, with the command that ends it. */
export function howToEnd({ executions, instances }: UnfinishedWork): string[] {
  return [
    ...executions.map(({ executionArn = '' }) => `aws stepfunctions stop-execution --execution-arn ${executionArn}`),
    ...instances.flatMap(({ DBInstanceIdentifier: id = '', DBInstanceStatus, DeletionProtection }) => {
      if (DBInstanceStatus === 'deleting') return [`aws rds wait db-instance-deleted --db-instance-identifier ${id}`];
      const named = `--db-instance-identifier ${id}`;
      return [
        ...(DeletionProtection
          ? [`aws rds modify-db-instance ${named} --no-deletion-protection --apply-immediately`]
          : []),
        `aws rds delete-db-instance ${named} --skip-final-snapshot --delete-automated-backups`,
      ];
    }),
  ];
}

async function runningOf(client: SFNClient, stateMachineArn: string): Promise<ExecutionListItem[]> {
  const found: ExecutionListItem[] = [];
  try {
    const pages = paginateListExecutions({ client }, { stateMachineArn, statusFilter: 'RUNNING' });
    for await (const { executions = [] } of pages) found.push(...executions);
  } catch (error) {
    // An earlier run removed it.
    if ((error as Error).name !== 'StateMachineDoesNotExist') throw error;
  }
  return found;
}

async function besideThoseInUse(client: RDSClient, environmentName: string): Promise<DBInstance[]> {
  const prefix = `billing-operations-${environmentName}-(${DATABASE_NAMES.join('|')})`;
  const names = new RegExp(`^${prefix}-(rows|archive|drill|recovered|before)-[a-z0-9]+$`);
  const found: DBInstance[] = [];
  for await (const { DBInstances = [] } of paginateDescribeDBInstances({ client }, {})) {
    found.push(
      ...DBInstances.filter(
        (instance) => names.test(instance.DBInstanceIdentifier ?? '') || isTemporary(instance, environmentName),
      ),
    );
  }
  return found;
}

/** Beside an existing instance, only the tags say who made it: without an expiry, it would stay and cost. */
function isTemporary({ TagList = [] }: DBInstance, environmentName: string): boolean {
  const tags = new Map(TagList.map(({ Key, Value }) => [Key, Value]));
  return (
    tags.get('application') === 'billing-operations' &&
    tags.get('environment') === environmentName &&
    tags.has(TEMPORARY_TAG)
  );
}
