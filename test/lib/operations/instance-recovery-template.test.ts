import { DATABASE_NAMES } from '../../../core/contract';
import { RecoveryWorld } from '../../support/states/recovery-world';
import { resourceLike, resourcesOf, templatesOf } from '../support';

const { operations, monitoring } = templatesOf('production');
const outputsOf = (template: typeof operations) =>
  Object.keys((template.toJSON() as { Outputs?: Record<string, unknown> }).Outputs ?? {});

test('each database has a restore of large archives; one that the stacks make a recovery, a comparison of rows, a large archive, and what reminds of their instances as well', () => {
  const names = (environment: string) =>
    Object.values(resourcesOf(templatesOf(environment).operations, 'AWS::StepFunctions::StateMachine'))
      .map(({ Properties }) => Properties.StateMachineName as string)
      .toSorted();
  expect(names('production')).toEqual([
    'BillingOps-production-archive-billing',
    'BillingOps-production-archive-expiry-billing',
    'BillingOps-production-archive-expiry-main',
    'BillingOps-production-archive-main',
    'BillingOps-production-drill-expiry-billing',
    'BillingOps-production-drill-expiry-main',
    'BillingOps-production-instance-drill-billing',
    'BillingOps-production-instance-drill-main',
    'BillingOps-production-recover-billing',
    'BillingOps-production-recover-main',
    'BillingOps-production-recovery-leftovers-billing',
    'BillingOps-production-recovery-leftovers-main',
    'BillingOps-production-restore-billing',
    'BillingOps-production-restore-main',
    'BillingOps-production-rows-billing',
    'BillingOps-production-rows-expiry-billing',
    'BillingOps-production-rows-expiry-main',
    'BillingOps-production-rows-main',
  ]);
  expect(names('local')).toEqual(['BillingOps-local-restore-billing', 'BillingOps-local-restore-main']);
});

test('the state machines, the queues of questions and the topics are outputs', () => {
  for (const title of ['Billing', 'Main']) {
    expect(outputsOf(operations)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(new RegExp(`^${title}RecoveryStateMachine`)),
        expect.stringMatching(new RegExp(`^${title}RecoveryConfirmationQueue`)),
      ]),
    );
  }
  expect(outputsOf(monitoring)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^AlertsCriticalTopic/),
      expect.stringMatching(/^AlertsWarningTopic/),
    ]),
  );
});

test('the questions of a recovery are kept in the queue of their database', () => {
  const rule = resourceLike(operations, 'AWS::Events::Rule', 'BillingRecoveryConfirmation').Properties;
  expect(rule.EventPattern).toEqual({
    source: ['billing-operations.recovery'],
    'detail-type': ['Instance recovery waits for confirmation', 'Instance recovery waits to take the name'],
    detail: { environment: ['production'], database: ['billing'] },
  });
  const [{ Arn } = { Arn: undefined }] = rule.Targets as { Arn: unknown }[];
  expect(JSON.stringify(Arn)).toMatch(/BillingRecoveryConfirmations\w+/);
});

test('a workflow may change no instance of the other database', () => {
  const policy = JSON.stringify(resourceLike(operations, 'AWS::IAM::Policy', 'MainRecoveryRole').Properties);
  expect(policy).toContain('db:billing-operations-production-main');
  expect(policy).not.toContain('production-billing');
});

test('a workflow may delete nothing, and a reminder may change nothing', () => {
  const actions = Object.entries(resourcesOf(operations, 'AWS::IAM::Policy'))
    .filter(([id]) => /^(Billing|Main)Recovery/.test(id))
    .flatMap(
      ([, { Properties }]) => (Properties.PolicyDocument as { Statement: { Action: string | string[] }[] }).Statement,
    )
    .flatMap(({ Action }) => Action);
  expect(actions.filter((action) => /:Delete/.test(action) && action !== 'logs:DeleteLogDelivery')).toEqual([]);
  const reminder = resourceLike(operations, 'AWS::IAM::Policy', 'BillingRecoveryReminder').Properties;
  expect(JSON.stringify(reminder)).not.toMatch(/rds:(Modify|Restore|Register|Add)/);
});

test('the function that sets passwords may set those of recovered and temporary instances only', () => {
  const policy = resourceLike(operations, 'AWS::IAM::Policy', 'ResetPassword').Properties;
  const { Statement } = policy.PolicyDocument as { Statement: { Action: unknown; Resource: unknown }[] };
  const modifying = Statement.filter(({ Action }) => [Action].flat().includes('rds:ModifyDBInstance'));
  const resources = modifying.flatMap(({ Resource }) => Resource);
  expect(resources).toHaveLength(8);
  for (const resource of resources) {
    expect(JSON.stringify(resource)).toMatch(
      /db:billing-operations-production-(billing|main)-(recovered|rows|archive|drill)-\*/,
    );
  }
});

describe.each(DATABASE_NAMES)('the workflow of %s', (database) => {
  const { definition, id } = new RecoveryWorld(database);
  const states = Object.entries(definition.States);

  test('passes the password through a function, and so never into its history', () => {
    expect(JSON.stringify(definition)).not.toMatch(/"MasterUserPassword"/);
  });

  test('explains every failure: each call has a catcher of its last resort', () => {
    const unexplained = states.filter(
      ([, { Type, Catch }]) => Type === 'Task' && !Catch?.some(({ ErrorEquals }) => ErrorEquals.includes('States.ALL')),
    );
    expect(unexplained.map(([name]) => name)).toEqual([]);
    const ends = states.filter(([, { Type }]) => Type === 'Fail' || Type === 'Succeed').map(([name]) => name);
    expect(ends.toSorted()).toEqual(['Explain the failure', 'Recovered']);
  });

  test('gives its instances names that RDS takes', () => {
    for (const kind of ['recovered', 'before']) {
      expect(`${id}-${kind}-01234567`).toMatch(/^(?!.*--)[a-z][a-z0-9-]{0,62}$/);
    }
  });

  test('has a proxy only where the database has one', () => {
    expect(/DBProxy/.test(JSON.stringify(definition))).toBe(database === 'billing');
  });

  test('has states whose names say what they do', () => {
    const verbs =
      /^(Allow|Ask|Begin|Check|Choose|Configure|Erase|Explain|Find|Give|Look|Make|Note|Report|Restore|Set|Start|Take|Verify|Wait|Warm) /;
    const questions = /^(Is|Has|Restore) .*\?$/;
    const odd = states.map(([name]) => name).filter((name) => !verbs.test(name) && !questions.test(name));
    expect(odd).toEqual(['Recovered']);
  });
});
