import { DATABASE_NAMES } from '../../../core/contract';
import { RECOVERY_EVENTS } from '../../../lib/operations/recovery/recovery-events';
import { MINUTE } from '../../support/states/clock';
import { DeployedValues, deployedDefinition } from '../../support/states/deployed-definition';
import { RecoveryWorld } from '../../support/states/recovery-world';
import { statementsIn } from '../statements';
import { resourceLike, resourcesOf, templatesOf } from '../support';

const templates = templatesOf('production');
const { operations } = templates;

describe.each(DATABASE_NAMES)('the workflow that compares rows of %s with those of a moment', (database) => {
  const definition = deployedDefinition(templates, `BillingOps-production-rows-${database}`);
  const title = database === 'billing' ? 'Billing' : 'Main';

  test('reads a small instance of that second, asks, merges what is confirmed, and removes the instance', async () => {
    const world = RecoveryWorld.inUse(database);
    const requests: unknown[] = [];
    world.functions.rows = (request) => {
      requests.push(request);
      return world.rowsAnswered(request);
    };
    world.answers = [
      { afterMs: 10 * MINUTE, output: { merge: 'deleted', confirm: database } },
      { afterMs: 5 * MINUTE, output: { done: true } },
    ];
    const input = { tables: [`${database}.things`], restoreTime: '2026-11-21T06:00:07Z' };
    const execution = await world.run(definition, input);
    expect(execution).toMatchObject({
      status: 'SUCCEEDED',
      output: { answered: true, note: 'Merged: 3 inserted, 0 set back, 0 skipped.' },
    });
    const host = `${world.recovered}.example.rds.amazonaws.com`;
    expect(requests).toEqual([
      { action: 'check', database, tables: input.tables, where: [] },
      { action: 'report', database, instance: { host }, tables: input.tables, where: [] },
      { action: 'merge', database, reportId: '20261121T123000Z-00000001', choose: 'deleted', confirm: database },
    ]);
    expect(world.rds.calls).toContainEqual(
      expect.objectContaining({
        action: 'restoreDBInstanceToPointInTime',
        arguments: expect.objectContaining({
          RestoreTime: input.restoreTime,
          DbInstanceClass: 'db.t4g.medium',
          MultiAZ: false,
          DeletionProtection: false,
        }) as object,
      }),
    );
    expect(world.rds.identifiers).toEqual([world.id]);
    expect(world.events.map(({ type }) => type)).toEqual([RECOVERY_EVENTS.rowsReported, RECOVERY_EVENTS.rowsReported]);
  });

  test('brings instances up where the function reaches them: with the security group of the database', () => {
    const values = new DeployedValues(templates);
    const { VPCSecurityGroups } = resourceLike(
      templates.data,
      'AWS::RDS::DBInstance',
      `${title}DatabaseInstance`,
    ).Properties;
    const { Arguments } = definition.States['Restore to a time'] ?? {};
    expect((Arguments as { VpcSecurityGroupIds: unknown }).VpcSecurityGroupIds).toEqual(
      values.resolve(VPCSecurityGroups),
    );
    const [group] = values.resolve(VPCSecurityGroups) as string[];
    const rules = Object.values(resourcesOf(operations, 'AWS::EC2::SecurityGroupIngress')).filter(
      ({ Properties }) =>
        String(Properties.Description).startsWith('row-recovery connects') &&
        values.resolve(Properties.GroupId) === group,
    );
    expect(rules).toHaveLength(1);
  });

  test('may delete nothing but what carries the tag and the name of a temporary instance', () => {
    const roles = [`${title}RowsRoleDefaultPolicy`, `${title}RowsInstanceExpiryRoleDefaultPolicy`];
    const statements = statementsIn(operations).filter(({ of }) => roles.includes(of));
    const changing = statements.filter(({ actions }) =>
      actions.some((action) => /^rds:(Delete|Modify|Stop|Reboot|Create|Start|Promote)/.test(action)),
    );
    const name = `arn:aws:rds:eu-central-1:<account>:db:billing-operations-<env>-${database}-rows-*`;
    expect(changing.map(({ of, actions, resources, conditions }) => ({ of, actions, resources, conditions }))).toEqual(
      roles
        .map((of) => ({ of, actions: ['rds:DeleteDBInstance'], resources: [name], conditions: true }))
        .toSorted((one, other) => one.of.localeCompare(other.of)),
    );
    const policies = JSON.stringify(resourcesOf(operations, 'AWS::IAM::Policy'));
    expect(policies).toContain('"aws:ResourceTag/temporary-for":"rows"');
    expect(policies).toContain('"aws:RequestTag/temporary-for":"rows"');
  });
});
