import { DATABASE_NAMES } from '../../../core/contract';
import { RECOVERY_EVENTS } from '../../../lib/operations/recovery/recovery-events';
import type { JsonObject } from '../../../local/states/definition';
import { StatesError } from '../../../local/states/errors';
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
      {
        action: 'merge',
        database,
        reportId: '20261121T123000Z-00000001',
        choose: 'deleted',
        offset: 0,
        confirm: database,
      },
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

  test('has the rows compared by one call after the other, makes a killed one again, and asks about the last report', async () => {
    const world = RecoveryWorld.inUse(database);
    const continued: unknown[] = [];
    world.functions.rows = (request) => {
      if (request.action !== 'report') return world.rowsAnswered(request);
      continued.push(request.continues);
      if (continued.length === 2) throw new StatesError('Sandbox.Timedout', 'Task timed out after 900.00 seconds');
      const calls = continued.length;
      const answer = world.rowsAnswered(request) as JsonObject;
      return { ...answer, reportId: `20261121T12300${calls}Z-00000001`, deleted: calls, complete: calls === 4 };
    };
    world.answers = [{ afterMs: MINUTE, output: { done: true } }];
    const execution = await world.run(definition, { tables: [`${database}.things`] });
    expect(execution).toMatchObject({
      status: 'SUCCEEDED',
      output: { reportId: '20261121T123004Z-00000001', note: '' },
    });
    const [first, third] = ['20261121T123001Z-00000001', '20261121T123003Z-00000001'];
    expect(continued).toEqual([undefined, first, first, third]);
    expect(world.events.map(({ detail }) => [detail.reportId, detail.deleted])).toEqual([
      ['20261121T123004Z-00000001', 4],
    ]);
  });

  test('asks about what was found until then when a later call fails', async () => {
    const world = RecoveryWorld.inUse(database);
    world.functions.rows = (request) => {
      if (request.action !== 'report') return world.rowsAnswered(request);
      if (request.continues !== undefined) throw new StatesError('SchemaDiffers', 'Table has other columns');
      return { ...(world.rowsAnswered(request) as JsonObject), complete: false };
    };
    world.answers = [{ afterMs: MINUTE, output: { done: true } }];
    expect(await world.run(definition, { tables: [`${database}.things`] })).toMatchObject({
      status: 'SUCCEEDED',
      output: {
        reportId: '20261121T123000Z-00000001',
        note: 'The report failed after a part of the rows; report 20261121T123000Z-00000001 has what was found until then: SchemaDiffers, Table has other columns.',
      },
    });
  });

  test('has many rows merged by one call after the other, and after a failure of one from the beginning again', async () => {
    const world = RecoveryWorld.inUse(database);
    const offsets: unknown[] = [];
    world.functions.rows = (request) => {
      if (request.action !== 'merge') return world.rowsAnswered(request);
      offsets.push(request.offset);
      if (offsets.length === 3) throw new StatesError('MergeRefused', 'The key refuses the rows');
      const [next, inserted] = [[4, 7, null, 7, null][offsets.length - 1] ?? null, offsets.length];
      return { ...(world.rowsAnswered(request) as JsonObject), inserted, skipped: 1, next };
    };
    const merge = { afterMs: MINUTE, output: { merge: 'deleted', confirm: database } };
    world.answers = [merge, merge, { afterMs: MINUTE, output: { done: true } }];
    const execution = await world.run(definition, { tables: [`${database}.things`] });
    expect(execution).toMatchObject({ status: 'SUCCEEDED' });
    expect(offsets).toEqual([0, 4, 7, 0, 7]);
    expect(world.events.map(({ detail }) => detail.note)).toEqual([
      '',
      'Merged: 3 inserted, 0 set back, 2 skipped; then nothing else: MergeRefused, The key refuses the rows.',
      'Merged: 9 inserted, 0 set back, 2 skipped.',
    ]);
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
