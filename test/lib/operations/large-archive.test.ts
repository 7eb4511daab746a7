import { DATABASE_NAMES } from '../../../core/contract';
import { DeployedValues, deployedDefinition } from '../../support/states/deployed-definition';
import { statementsIn } from '../statements';
import { resourceLike, templatesOf } from '../support';

const templates = templatesOf('production');
const { operations, monitoring } = templates;
const arn = (resource: string) => `arn:aws:states:eu-central-1:<account>:${resource}`;

describe.each(DATABASE_NAMES)('the workflow that archives a large %s database', (database) => {
  const name = `BillingOps-production-archive-${database}`;
  const title = database === 'billing' ? 'Billing' : 'Main';
  const roleOf = `${title}LargeArchiveRoleDefaultPolicy`;
  const definition = deployedDefinition(templates, name);
  const statements = statementsIn(operations).filter(({ of }) => of === roleOf);
  const allowed = (action: string) =>
    statements.filter(({ actions }) => actions.includes(action)).flatMap(({ resources }) => resources);

  test('copies as many parts at a time as configured, and tolerates no failed one', () => {
    expect(definition.States['Copy the parts']).toMatchObject({
      MaxConcurrency: 4,
      ToleratedFailureCount: 0,
      ItemReader: { Resource: 'arn:aws:states:::s3:getObject', ReaderConfig: { InputType: 'JSON' } },
      ItemProcessor: { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' } },
    });
    const { Properties } = resourceLike(operations, 'AWS::Lambda::Function', 'BackupFunction');
    expect(Properties.ReservedConcurrentExecutions).toBe(2 + 2 * 4);
  });

  test('may start executions of itself, read lists of parts, call two functions, and nothing else of these', () => {
    const own = arn(`stateMachine:BillingOps-<env>-archive-${database}`);
    const [expiry, ...others] = allowed('states:StartExecution').filter((resource) => resource !== own);
    expect(allowed('states:StartExecution')).toContain(own);
    expect([expiry, ...others]).toEqual([expect.stringMatching(/LargeArchiveInstanceExpiry/)]);
    const executions = arn(`execution:BillingOps-<env>-archive-${database}`);
    expect(allowed('states:StopExecution')).toEqual([`${executions}:*`]);
    expect(allowed('states:RedriveExecution')).toEqual([`${executions}/Parts:*`]);
    expect(allowed('s3:GetObject')).toEqual([expect.stringMatching(`/archives/${database}/\\*/\\*/parts\\.json$`)]);
    expect(allowed('lambda:InvokeFunction')).toHaveLength(2);
    expect(statements.flatMap(({ actions }) => actions).filter((action) => action.startsWith('s3:'))).toEqual([
      's3:GetObject',
    ]);
  });

  test.each([
    ['started by the backup', 'Backup', ['states:ListExecutions', 'states:StartExecution']],
    ['looked for by the collector', 'Collector', ['states:ListExecutions']],
  ])('is %s, by its exact name', (_, caller, actions) => {
    const { Environment } = resourceLike(operations, 'AWS::Lambda::Function', `${caller}Function`).Properties;
    const { Variables } = Environment as { Variables: Record<string, unknown> };
    const variable = Variables[`${database.toUpperCase()}_ARCHIVE_WORKFLOW_ARN`];
    expect(String(new DeployedValues(templates).resolve(variable))).toMatch(new RegExp(`:stateMachine:${name}$`));
    const ofCaller = statementsIn(operations).filter(
      (statement) => statement.of.startsWith(`${caller}Role`) && statement.actions.includes('states:ListExecutions'),
    );
    expect(ofCaller.map((statement) => statement.actions)).toEqual([actions]);
    expect(ofCaller.flatMap(({ resources }) => resources)).toContain(
      arn(`stateMachine:BillingOps-<env>-archive-${database}`),
    );
  });

  test('removes instances of its own name and tag alone', () => {
    const deleting = statements.filter(({ actions }) => actions.includes('rds:DeleteDBInstance'));
    expect(deleting).toMatchObject([
      {
        resources: [`arn:aws:rds:eu-central-1:<account>:db:billing-operations-<env>-${database}-archive-*`],
        conditions: true,
      },
    ]);
  });
});

test.each(DATABASE_NAMES)(
  'the workflow that restores a large %s archive may call two functions, and start itself; both may start it',
  (database) => {
    const name = `BillingOps-production-restore-${database}`;
    const definition = deployedDefinition(templates, name);
    expect(definition.States['Load the rows']).toMatchObject({ MaxConcurrency: 4, ToleratedFailureCount: 0 });
    const roleOf = `${database === 'billing' ? 'Billing' : 'Main'}LargeRestoreRoleDefaultPolicy`;
    const statements = statementsIn(operations).filter(({ of }) => of === roleOf);
    const allowed = (action: string) =>
      statements.filter(({ actions }) => actions.includes(action)).flatMap(({ resources }) => resources);
    const executions = arn(`execution:BillingOps-<env>-restore-${database}`);
    expect(allowed('lambda:InvokeFunction').toSorted()).toEqual([
      expect.stringMatching(/DrillFunction[^:*]*$/),
      expect.stringMatching(/RestoreFunction[^:*]*$/),
    ]);
    expect(allowed('states:StartExecution')).toEqual([arn(`stateMachine:BillingOps-<env>-restore-${database}`)]);
    expect(allowed('states:StopExecution')).toEqual([`${executions}:*`]);
    expect(allowed('states:RedriveExecution')).toEqual([`${executions}/Indexes:*`, `${executions}/Rows:*`]);
    const services = new Set(['lambda', 'states', 'logs', 'xray']);
    expect(
      statements.flatMap(({ actions }) => actions).filter((action) => !services.has(action.split(':')[0] ?? '')),
    ).toEqual([]);

    const { Properties } = resourceLike(operations, 'AWS::Lambda::Function', 'RestoreFunction');
    expect(Properties.ReservedConcurrentExecutions).toBe(2 + 2 * 4);
    for (const starter of ['Restore', 'Drill']) {
      const { Properties: own } = resourceLike(operations, 'AWS::Lambda::Function', `${starter}Function`);
      const { Variables } = own.Environment as { Variables: Record<string, unknown> };
      const variable = Variables[`${database.toUpperCase()}_RESTORE_WORKFLOW_ARN`];
      expect(String(new DeployedValues(templates).resolve(variable))).toMatch(new RegExp(`:stateMachine:${name}$`));
      const started = statementsIn(operations).filter(
        ({ of, actions }) => of.startsWith(`${starter}Role`) && actions.includes('states:StartExecution'),
      );
      expect(started.flatMap(({ actions }) => actions).includes('states:ListExecutions')).toBe(starter === 'Drill');
      expect(started.flatMap(({ resources }) => resources)).toEqual(
        DATABASE_NAMES.map((other) => arn(`stateMachine:BillingOps-<env>-restore-${other}`)),
      );
    }
  },
);

test('what does not end is reported once, whichever database and however: of a failed drill that is on record, by its alarm', () => {
  const { Properties } = resourceLike(monitoring, 'AWS::Events::Rule', 'ArchiveNotificationsFailed');
  const { detail } = Properties.EventPattern as { detail: { $or: unknown[]; stateMachineArn: unknown[] } };
  expect(detail.$or).toEqual([
    { status: ['TIMED_OUT', 'ABORTED'] },
    { status: ['FAILED'], name: [{ 'anything-but': { prefix: 'drill-' } }] },
    { status: ['FAILED'], cause: [{ wildcard: '*perhaps the database of the drill, or no record of it*' }] },
  ]);
  for (const database of DATABASE_NAMES) {
    expect(JSON.stringify(detail.stateMachineArn)).toContain(`:BillingOps-production-archive-${database}`);
    expect(JSON.stringify(detail.stateMachineArn)).toContain(`:BillingOps-production-restore-${database}`);
  }
  expect(JSON.stringify(Properties.Targets)).toContain('#large-archive-failed');
});
