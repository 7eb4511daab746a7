import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { functionName } from '../../../core/contract';
import { TEMPORARY_TAG } from '../../config/recovery-policy';
import type { InstanceReferences } from '../../data/database';
import { acknowledgeWildcards } from '../../policy/acknowledge-permissions';
import { grantKeyToService } from '../backup-permissions';
import { InstanceArns, type RecoverableInstance } from './recovery-permissions';
import { RecoveryWorkflow } from './recovery-workflow';
import { temporaryExpiryDefinition } from './temporary-instance-expiry';
import { temporaryPrefix, type TemporaryPurpose } from './temporary-instance-states';

/** ARNs that a workflow with a temporary instance works with. */
export class TemporaryInstanceArns extends InstanceArns {
  /** Instances of the purpose, which have a random suffix. */
  readonly temporary: string;

  constructor(
    stack: Stack,
    settings: InstanceReferences,
    readonly purpose: TemporaryPurpose,
  ) {
    super(stack, settings);
    this.temporary = this.rds('db', `${temporaryPrefix(settings, purpose)}*`);
  }
}

const SUFFIX = 'Temporary instances get a random suffix at run time; the prefix holds them apart from every other one';

/** Lets a role look at the temporary instances of a purpose, and delete those that carry its tag. Never the one in use. */
function grantRemoval(role: Role, { temporary, purpose, defaultBus }: TemporaryInstanceArns): void {
  role.addToPolicy(new PolicyStatement({ actions: ['rds:DescribeDBInstances'], resources: [temporary] }));
  role.addToPolicy(
    new PolicyStatement({
      actions: ['rds:DeleteDBInstance'],
      resources: [temporary],
      conditions: { StringEquals: { [`aws:ResourceTag/${TEMPORARY_TAG}`]: purpose } },
    }),
  );
  role.addToPolicy(new PolicyStatement({ actions: ['events:PutEvents'], resources: [defaultBus] }));
  acknowledgeWildcards(role, { resources: [temporary], reason: SUFFIX });
}

/** Lets a workflow bring up temporary instances of a purpose, with the tag of that, and remove them again. */
export function grantTemporaryInstance(
  role: Role,
  arns: TemporaryInstanceArns,
  { settings }: Pick<RecoverableInstance, 'settings'>,
): void {
  const { present, temporary, groups, automatedBackups, snapshots, purpose } = arns;
  const restoring = ['rds:RestoreDBInstanceToPointInTime', 'rds:RestoreDBInstanceFromDBSnapshot'];
  const tagged = { StringEquals: { [`aws:RequestTag/${TEMPORARY_TAG}`]: purpose } };
  role.addToPolicy(
    new PolicyStatement({
      actions: [...restoring, 'rds:AddTagsToResource'],
      resources: [temporary],
      conditions: tagged,
    }),
  );
  role.addToPolicy(
    new PolicyStatement({ actions: restoring, resources: [present, ...groups, automatedBackups, snapshots] }),
  );
  role.addToPolicy(new PolicyStatement({ actions: ['rds:DescribeDBInstances'], resources: [present] }));
  // The automated backups of a deleted instance are found by its name, and named by ids that RDS makes up.
  role.addToPolicy(
    new PolicyStatement({
      actions: ['rds:DescribeDBInstanceAutomatedBackups'],
      resources: [present, automatedBackups],
    }),
  );
  grantRemoval(role, arns);
  // RDS keeps using the key of the storage by a grant that the caller creates for it.
  for (const key of settings.keys) grantKeyToService(role, key);
  acknowledgeWildcards(role, {
    resources: [arns.optionGroups, snapshots, automatedBackups],
    reason:
      'RDS names default option groups, automated snapshots and retained backups; which one is the choice of the operator',
  });
}

export interface TemporaryInstanceExpiryProps {
  readonly environmentName: string;
  readonly instance: RecoverableInstance;
  readonly arns: TemporaryInstanceArns;
  /** Encrypts the log. */
  readonly logKey: IKey;
}

/** Reminds of the temporary instances of one purpose, and removes those that their own workflow did not. */
export class TemporaryInstanceExpiry extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, props: TemporaryInstanceExpiryProps) {
    super(scope, id);
    const { environmentName, instance, arns, logKey } = props;
    const database = instance.access.name;
    const workflow = new RecoveryWorkflow(this, 'Expiry', {
      logKey,
      removalProtection: instance.settings.removalProtection,
      stateMachineName: functionName(environmentName, `${arns.purpose}-expiry-${database}`),
      description: `Removes temporary instances of the ${database} database whose time is over`,
    });
    grantRemoval(workflow.role, arns);
    this.stateMachine = workflow.define(temporaryExpiryDefinition({ environmentName, database }));
  }
}
