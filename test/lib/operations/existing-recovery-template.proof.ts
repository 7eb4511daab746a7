import { INSTANCE_KEY, templatesOfExisting } from '../../support/states/existing-world';
import { statementsIn } from '../statements';
import { resourceLike, resourcesOf, templatesOf } from '../support';

const { operations, monitoring, data } = templatesOfExisting();

/** As `statementsIn` writes it. */
const KEY = INSTANCE_KEY.replaceAll(/\d{12}/g, '<account>');

/** What a role may do with which resources, as `action resource` in short ARNs. */
function permissionsOf(role: string): string[] {
  return statementsIn(operations)
    .filter(({ of }) => of.startsWith(`${role}RoleDefaultPolicy`))
    .flatMap(({ actions, resources }) => actions.flatMap((action) => resources.map((one) => `${action} ${one}`)))
    .filter((line) => /^(rds|kms|iam):/.test(line))
    .map((line) => line.replace(/arn:aws:rds:[^:]+:[^:]+:/, ''))
    .toSorted();
}

test('existing instances with `recovery` have a recovery, its reminder and restores in parts, and none of the other workflows of created ones', () => {
  const machines = Object.values(resourcesOf(operations, 'AWS::StepFunctions::StateMachine'));
  expect(machines.map(({ Properties }) => Properties.StateMachineName as string).toSorted()).toEqual([
    'BillingOps-production-recover-billing',
    'BillingOps-production-recover-main',
    'BillingOps-production-recovery-leftovers-billing',
    'BillingOps-production-recovery-leftovers-main',
    'BillingOps-production-restore-billing',
    'BillingOps-production-restore-main',
  ]);
  expect(resourcesOf(data, 'AWS::RDS::DBInstance')).toEqual({});
});

test('their state machines and queues of questions are outputs, as those of created ones', () => {
  const outputs = (template: typeof operations) =>
    Object.keys((template.toJSON() as { Outputs?: object }).Outputs ?? {}).filter((name) => /Recovery/.test(name));
  expect(outputs(operations)).toEqual(outputs(templatesOf('production').operations));
});

test('what a recovery asks, reports and fails with reaches the topics, as of created ones', () => {
  const rules = (template: typeof monitoring) =>
    Object.keys(resourcesOf(template, 'AWS::Events::Rule')).filter((id) => id.startsWith('RecoveryNotifications'));
  expect(rules(monitoring).length).toBeGreaterThan(5);
  expect(rules(monitoring)).toEqual(rules(templatesOf('production').monitoring));
  expect(
    JSON.stringify(resourceLike(monitoring, 'AWS::Events::Rule', 'RecoveryNotificationsFailed').Properties),
  ).toContain('BillingOps-production-recover-main');
});

test('the workflow may use that instance, the groups and keys of its settings, and the names that it makes', () => {
  const names = ['db:acme-main', 'db:acme-main-before-*', 'db:acme-main-recovered-*'];
  // The names of default option groups, snapshots and backups are those of RDS.
  const groups = ['og:default:postgres-*', 'pg:acme-postgres17', 'subgrp:acme-private'];
  const allowed: Readonly<Record<string, readonly string[]>> = {
    'iam:PassRole': ['arn:aws:iam::<account>:role/rds-monitoring'],
    'kms:CreateGrant': [KEY],
    'kms:DescribeKey': [KEY],
    'rds:AddTagsToResource': ['db:acme-main-recovered-*'],
    'rds:DescribeDBInstanceAutomatedBackups': ['auto-backup:*', 'db:acme-main'],
    'rds:DescribeDBInstances': [...names, ...groups],
    'rds:ModifyDBInstance': [...names, ...groups],
    'rds:RestoreDBInstanceFromDBSnapshot': ['db:acme-main-recovered-*', ...groups, 'snapshot:*'],
    'rds:RestoreDBInstanceToPointInTime': ['auto-backup:*', 'db:acme-main', 'db:acme-main-recovered-*', ...groups],
  };
  expect(permissionsOf('MainRecovery')).toEqual(
    Object.entries(allowed)
      .flatMap(([action, resources]) => resources.map((resource) => `${action} ${resource}`))
      .toSorted(),
  );
});

test('a proxy is that of the settings, and only where they have one', () => {
  expect(permissionsOf('MainRecovery').join()).not.toContain('Proxy');
  expect(permissionsOf('BillingRecovery')).toEqual(
    expect.arrayContaining([
      'rds:RegisterDBProxyTargets db:acme-billing',
      'rds:RegisterDBProxyTargets db:acme-billing-recovered-*',
    ]),
  );
  expect(permissionsOf('BillingRecovery')).toContain('rds:RestoreDBInstanceToPointInTime og:acme-options');
});
