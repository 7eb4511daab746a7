import { DATABASE_NAMES } from '../../../core/contract';
import { RecoveryWorld } from '../../support/states/recovery-world';
import type { JsonObject } from '../../../local/states/definition';
import { deployedDefinition } from '../../support/states/deployed-definition';
import { resourcesOf, templatesOf } from '../support';
import { textOf } from '../../../local/states/text';

interface Rule {
  readonly EventPattern: {
    readonly source: string[];
    readonly 'detail-type': string[];
    readonly detail: Record<string, unknown>;
  };
  readonly Targets: readonly {
    readonly Arn: { readonly Ref: string };
    readonly InputTransformer: { readonly InputPathsMap: Record<string, string>; readonly InputTemplate: string };
  }[];
}

const { monitoring } = templatesOf('production');
const rules = Object.entries(resourcesOf(monitoring, 'AWS::Events::Rule')).flatMap(([id, { Properties }]) =>
  id.startsWith('RecoveryNotifications') ? [Properties as unknown as Rule] : [],
);

/** What EventBridge makes of an event by the one rule for it: the topic, and the text. */
function delivered(
  source: string,
  detailType: string,
  detail: JsonObject,
  workflow = '',
): { topic: string; text: string } {
  const [rule, ...others] = rules.filter(
    ({ EventPattern }) =>
      EventPattern.source.includes(source) &&
      EventPattern['detail-type'].includes(detailType) &&
      JSON.stringify(EventPattern.detail).includes(workflow),
  );
  const [target] = rule?.Targets ?? [];
  if (!target || others.length > 0) throw new Error(`Expected one rule for ${detailType}`);
  const { InputPathsMap, InputTemplate } = target.InputTransformer;
  const filled = InputTemplate.replaceAll(/<([\w-]+)>/g, (_, name: string) => {
    const value = detail[(InputPathsMap[name] ?? '').replace('$.detail.', '')];
    // EventBridge puts values into the text as they are: a quote would end it.
    expect(textOf(value)).not.toMatch(/["\n]/);
    return textOf(value);
  });
  return { topic: target.Arn.Ref, text: JSON.parse(filled) as string };
}

const SOURCE = 'billing-operations.recovery';

test('the question of a recovery reaches the critical topic, with the command that answers it', async () => {
  const world = RecoveryWorld.inUse('billing');
  await world.recover();
  const [{ type, detail } = { type: '', detail: {} }] = world.events;
  const { topic, text } = delivered(SOURCE, type, detail);
  expect(topic).toMatch(/^AlertsCritical/);
  expect(text).toContain(
    `aws stepfunctions send-task-success --region eu-central-1 --task-token token-1 --task-output '{"confirm": "billing-operations-production-billing"}'`,
  );
  expect(text).toContain(
    'aws stepfunctions send-task-failure --region eu-central-1 --task-token token-1 --error CutOverRefused',
  );
  expect(text).toContain('From the start to traffic: 26.5 minutes if confirmed now; target 60 (production, critical)');
  expect(text.split('\n').slice(-2)).toEqual([
    expect.stringMatching(/^Runbook: https:.+#instance-recovery-confirmation$/),
    expect.stringMatching(/^Console: https:.+states\/home/),
  ]);
});

test('every event of a recovery has one rule, and names nothing that the event lacks', async () => {
  const world = RecoveryWorld.inUse('billing');
  await world.recover();
  const texts = world.events.map(({ type, detail }) => delivered(SOURCE, type, detail).text);
  expect(texts).toEqual([
    expect.stringContaining('is proven and waits for 24 hours'),
    expect.stringContaining('Traffic flows to the recovered instance of the billing database, 30.5 minutes'),
    expect.stringContaining("--task-output '{}'"),
    expect.stringContaining('costs as much as the one in use until it is deleted'),
  ]);
  expect(texts.join()).not.toContain('undefined');
});

test('the reminder of instances that cost goes to the warning topic', () => {
  const { topic, text } = delivered(SOURCE, 'Instance recovery left instances behind', {
    database: 'billing',
    instances: 'a, b',
  });
  expect(topic).toMatch(/^AlertsWarning/);
  expect(text).toContain('each of which costs as much as the one in use: a, b');
});

test('a recovery that fails tells the critical topic why, what exists, what is safe, and how to go on', async () => {
  const world = RecoveryWorld.inUse('billing');
  world.functions.verify = () =>
    world.verified({ problems: [{ check: 'tables', message: 'Cannot read "invoices":\n page 3' }] });
  const { status, cause = '' } = await world.recover();
  const detail = { status, cause, executionArn: 'arn' };
  const change = 'Step Functions Execution Status Change';
  const { topic, text } = delivered('aws.states', change, detail, 'production-recover-billing');
  expect(topic).toMatch(/^AlertsCritical/);
  expect(text).toContain("Cannot read 'invoices': page 3. Exists now:");
  expect(text).toContain('Safe: The instance in use was not touched. To go on:');
});

test('failures are those of the workflows of the environment, however they ended', () => {
  const failures = rules.filter(({ EventPattern }) => EventPattern.source.includes('aws.states'));
  for (const { EventPattern } of failures)
    expect(EventPattern.detail.status).toEqual(['FAILED', 'TIMED_OUT', 'ABORTED']);
  const arns = JSON.stringify(failures.map(({ EventPattern }) => EventPattern.detail.stateMachineArn));
  for (const database of DATABASE_NAMES) {
    expect(arns).toContain(`BillingOps-production-recover-${database}`);
    expect(arns).toContain(`BillingOps-production-rows-${database}`);
  }
});

test('the question about rows reaches the critical topic, with the commands that continue', async () => {
  const world = RecoveryWorld.inUse('billing');
  const definition = deployedDefinition(templatesOf('production'), 'BillingOps-production-rows-billing');
  world.answers = ['never'];
  await world.run(definition, { tables: ['billing.subscriptions', 'app."Odd"'] });
  const [asked, unanswered] = world.events.map(({ type, detail }) => delivered(SOURCE, type, detail));
  expect(asked?.topic).toMatch(/^AlertsCritical/);
  expect(asked?.text).toContain(
    "Rows of billing.subscriptions app.'Odd' in the billing database were compared with those of a moment: 3 are gone, 1 changed.",
  );
  const report = '20261121T123000Z-00000001';
  expect(asked?.text).toContain(`npx ops rows merge billing ${report} --env production`);
  expect(asked?.text).toContain(`--from-instance ${world.recovered} --env production`);
  expect(asked?.text).toContain('npx ops rows done billing --env production');
  expect(asked?.text).toContain(`--task-token token-1 --task-output '{"done": true}'`);
  expect(unanswered?.topic).toMatch(/^AlertsWarning/);
  expect(unanswered?.text).toContain(`Report ${report} is kept for 30 days`);
});

test.each([
  ['Temporary instance is kept', /^AlertsWarning/, /still exists, and costs\. It is removed at noon by itself/],
  ['Temporary instance remains', /^AlertsCritical/, /should have been removed at noon, still exists, and costs/],
])('the event "%s" says which instance costs, and until when', (type, expected, says) => {
  const { topic, text } = delivered(SOURCE, type, {
    database: 'main',
    instance: 'main-rows-1',
    purpose: 'rows',
    removeAt: 'noon',
  });
  expect([topic, text]).toEqual([expect.stringMatching(expected), expect.stringMatching(says)]);
});

test('events of another environment in the same account are not reported', () => {
  for (const { EventPattern } of rules.filter(({ EventPattern: { source } }) => source.includes(SOURCE))) {
    expect(EventPattern.detail).toEqual({ environment: ['production'] });
  }
});
