import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { acknowledgeWildcards } from '../../policy/acknowledge-permissions';
import type { DatabaseAccess } from '../../data/database-access';
import type { InstanceReferences, InstanceSettings } from '../../data/database';
import type { ExistingInstance } from '../../data/existing-instance';
import { grantKeyToService } from '../backup-permissions';

/** An instance that can be recovered, whoever made it. */
export interface RecoverableInstance {
  readonly access: DatabaseAccess;
  readonly settings: InstanceSettings | ExistingInstance;
  /** @default - the database has no proxy */
  readonly proxyName?: string;
}

/** An instance that the Data stack made. */
export interface CreatedInstance extends RecoverableInstance {
  readonly settings: InstanceSettings;
}

/** ARNs that whatever restores the instance of a database works with. */
export class InstanceArns {
  /** The instance in use. */
  readonly present: string;
  /** Any snapshot: which one, or which recovery point, is the operator's choice, and AWS makes up their names. */
  readonly snapshots: string;
  readonly automatedBackups: string;
  readonly defaultBus: string;
  /** Subnet, parameter and option group of the instance, and the default option groups that RDS falls back to. */
  readonly groups: readonly string[];
  readonly optionGroups: string;

  constructor(
    protected readonly stack: Stack,
    { instanceIdentifier, subnetGroupName, parameterGroupName, optionGroupName }: InstanceReferences,
  ) {
    this.present = this.rds('db', instanceIdentifier);
    this.snapshots = this.rds('snapshot', '*');
    this.automatedBackups = this.rds('auto-backup', '*');
    this.optionGroups = this.rds('og', 'default:postgres-*');
    this.groups = [
      this.rds('subgrp', subnetGroupName),
      this.rds('pg', parameterGroupName),
      ...(optionGroupName === undefined ? [] : [this.rds('og', optionGroupName)]),
      this.optionGroups,
    ];
    this.defaultBus = stack.formatArn({ service: 'events', resource: 'event-bus', resourceName: 'default' });
  }

  protected rds(resource: string, resourceName: string): string {
    return this.stack.formatArn({ service: 'rds', resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  }
}

/** ARNs that the recovery of one instance works with. */
export class RecoveryArns extends InstanceArns {
  readonly recovered: string;
  readonly former: string;
  readonly proxies: string;
  readonly targetGroups: string;
  /** Log groups of the recovered instances, and of former ones. */
  readonly logGroups: readonly string[];

  constructor(stack: Stack, settings: InstanceReferences) {
    super(stack, settings);
    const { instanceIdentifier } = settings;
    this.recovered = this.rds('db', `${instanceIdentifier}-recovered-*`);
    this.former = this.rds('db', `${instanceIdentifier}-before-*`);
    this.proxies = this.rds('db-proxy', '*');
    this.targetGroups = this.rds('target-group', '*');
    this.logGroups = ['recovered', 'before'].map((kind) =>
      stack.formatArn({
        service: 'logs',
        resource: 'log-group',
        resourceName: `/aws/rds/instance/${instanceIdentifier}-${kind}-*`,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
    );
  }
}

/** Lets the workflow restore, configure, rename and register instances of one database, and delete nothing. */
export function grantRecovery(role: Role, arns: RecoveryArns, { settings, proxyName }: RecoverableInstance): void {
  const grant = (actions: string[], resources: readonly string[]) =>
    role.addToPolicy(new PolicyStatement({ actions, resources: [...resources] }));
  const { present, recovered, former, groups } = arns;
  grant(['rds:RestoreDBInstanceToPointInTime'], [present, recovered, ...groups, arns.automatedBackups]);
  grant(['rds:RestoreDBInstanceFromDBSnapshot'], [recovered, ...groups, arns.snapshots]);
  grant(['rds:AddTagsToResource'], [recovered]);
  grant(['rds:ModifyDBInstance', 'rds:DescribeDBInstances'], [present, recovered, former, ...groups]);
  // The automated backups of a deleted instance are found by its name, and named by ids that RDS makes up.
  grant(['rds:DescribeDBInstanceAutomatedBackups'], [present, arns.automatedBackups]);
  grant(['logs:CreateLogGroup', 'logs:PutRetentionPolicy', 'logs:TagResource'], arns.logGroups);
  grant(['events:PutEvents'], [arns.defaultBus]);
  if (settings.monitoringRoleArn !== undefined) {
    role.addToPolicy(
      new PolicyStatement({
        actions: ['iam:PassRole'],
        resources: [settings.monitoringRoleArn],
        // RDS, or the part of it that writes the metrics: AWS does not document which one the caller passes the role to.
        conditions: { StringEquals: { 'iam:PassedToService': ['rds.amazonaws.com', 'monitoring.rds.amazonaws.com'] } },
      }),
    );
  }
  // RDS keeps using the key of the storage and of the insights by a grant that the caller creates for it.
  for (const key of settings.keys) grantKeyToService(role, key);
  if (proxyName !== undefined) {
    const proxy = [arns.proxies, arns.targetGroups];
    grant(['rds:RegisterDBProxyTargets', 'rds:DeregisterDBProxyTargets'], [present, recovered, ...proxy]);
    grant(['rds:DescribeDBProxyTargets'], proxy);
  }
  acknowledgeRecovery(role, arns, proxyName !== undefined);
}

function acknowledgeRecovery(role: Role, arns: RecoveryArns, hasProxy: boolean): void {
  acknowledgeWildcards(
    role,
    {
      resources: [arns.recovered, arns.former, ...arns.logGroups],
      reason: 'Recovered instances and former ones get a random suffix at run time; the prefix holds them apart',
    },
    {
      resources: [arns.optionGroups, arns.snapshots, arns.automatedBackups],
      reason:
        'RDS names default option groups, automated snapshots and retained backups; which one is the choice of the operator',
    },
  );
  if (!hasProxy) return;
  acknowledgeWildcards(role, {
    resources: [arns.proxies, arns.targetGroups],
    reason: 'ARNs of proxies and target groups hold ids that RDS makes up',
  });
}
