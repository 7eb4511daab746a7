import { DATABASE_NAMES } from '../../../core/contract';
import { deployedDefinition } from '../../support/states/deployed-definition';
import { INSTANCE_KEY, templatesOfExisting } from '../../support/states/existing-world';
import { statementsIn } from '../statements';
import { resourceLike, resourcesOf, templatesOf } from '../support';

const templates = templatesOfExisting();
const { operations, monitoring, data } = templates;

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

test('existing instances with `recovery` have a recovery, its reminder, and archives and restores in parts, and none of the other workflows of created ones', () => {
  const machines = Object.values(resourcesOf(operations, 'AWS::StepFunctions::StateMachine'));
  expect(machines.map(({ Properties }) => Properties.StateMachineName as string).toSorted()).toEqual([
    'BillingOps-production-archive-billing',
    'BillingOps-production-archive-expiry-billing',
    'BillingOps-production-archive-expiry-main',
    'BillingOps-production-archive-main',
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

test('the workflow that archives one may make and delete its own copies, use the groups and keys of the settings, and change nothing', () => {
  const copies = 'db:acme-main-archive-*';
  const groups = ['og:default:postgres-*', 'pg:acme-postgres17', 'subgrp:acme-private'];
  const sources = ['auto-backup:*', 'db:acme-main', ...groups, 'snapshot:*'];
  const allowed: Readonly<Record<string, readonly string[]>> = {
    'kms:CreateGrant': [KEY],
    // Of the bucket, for the list of parts.
    'kms:Decrypt': ['<ArchivesKey>'],
    'kms:DescribeKey': [KEY],
    'rds:AddTagsToResource': [copies],
    'rds:DeleteDBInstance': [copies],
    'rds:DescribeDBInstanceAutomatedBackups': ['auto-backup:*', 'db:acme-main'],
    'rds:DescribeDBInstances': ['db:acme-main', copies],
    'rds:RestoreDBInstanceFromDBSnapshot': [copies, ...sources],
    'rds:RestoreDBInstanceToPointInTime': [copies, ...sources],
  };
  expect(permissionsOf('MainLargeArchive')).toEqual(
    Object.entries(allowed)
      .flatMap(([action, resources]) => resources.map((resource) => `${action} ${resource}`))
      .toSorted(),
  );
});

test('a backup starts that workflow for either database, parts have calls of their own, and its failure is reported', () => {
  const { Properties } = resourceLike(operations, 'AWS::Lambda::Function', 'BackupFunction');
  expect(Properties.ReservedConcurrentExecutions).toBe(2 + 2 * 4);
  const { Variables } = Properties.Environment as { Variables: Record<string, unknown> };
  const failed = JSON.stringify(resourceLike(monitoring, 'AWS::Events::Rule', 'ArchiveNotificationsFailed').Properties);
  for (const database of DATABASE_NAMES) {
    const workflow = `stateMachine:BillingOps-production-archive-${database}`;
    expect(JSON.stringify(Variables[`${database.toUpperCase()}_ARCHIVE_WORKFLOW_ARN`])).toContain(workflow);
    expect(failed).toContain(workflow);
    const { States } = deployedDefinition(templates, `BillingOps-production-archive-${database}`);
    const restore = JSON.stringify(States['Restore from a snapshot']?.Arguments);
    for (const group of ['acme-private', 'acme-postgres17']) expect(restore).toContain(group);
    expect(restore.includes('acme-options')).toBe(database === 'billing');
  }
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

test('maintenance may read the logs of these instances and ask where they are, and the Data stack has no policy for them', () => {
  const granted = statementsIn(operations)
    .filter(({ of }) => /^Maintenance(ReadLogs\d|RoleDefaultPolicy)$/.test(of))
    .flatMap(({ actions, resources }) => actions.flatMap((action) => resources.map((one) => `${action} ${one}`)))
    .filter((line) => /acme|:db:/.test(line))
    .map((line) => line.replace(/arn:aws:(logs|rds):eu-central-1:<account>:/, ''));
  const logs = ['billing', 'main'].flatMap((name) =>
    ['postgresql', 'upgrade'].map((log) => `log-group:/aws/rds/instance/acme-${name}/${log}:*`),
  );
  expect(granted.toSorted()).toEqual(
    [
      ...['logs:DescribeSubscriptionFilters', 'logs:FilterLogEvents'].flatMap((action) =>
        logs.map((log) => `${action} ${log}`),
      ),
      ...['billing', 'main'].map((name) => `rds:DescribeDBInstances db:acme-${name}`),
    ].toSorted(),
  );
  expect(statementsIn(data).filter(({ actions }) => actions.includes('rds:DescribeDBInstances'))).toEqual([]);
});
