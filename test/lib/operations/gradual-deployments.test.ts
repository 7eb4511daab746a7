import { GRADUAL_DEPLOYMENTS, type GradualFunction } from '../../../lib/config/gradual-deployments';
import { alarmsOfTemplate } from '../monitoring/alarm-support';
import { resourceLike, resourcesOf, templatesOf, type Resource } from '../support';

const STEMS = Object.keys(GRADUAL_DEPLOYMENTS) as GradualFunction[];
const TITLE = { webhook: 'Webhook', processor: 'Processor' } as const;
const { operations } = templatesOf('production');

const liveAliases = (template: Parameters<typeof resourcesOf>[0]): readonly { readonly UpdatePolicy?: object }[] =>
  Object.values(
    resourcesOf(template, 'AWS::Lambda::Alias') as Record<string, Resource & { UpdatePolicy?: object }>,
  ).filter(({ Properties }) => Properties.Name === 'live');
const aliasOf = (stem: GradualFunction) => {
  const [entry] = Object.entries(resourcesOf(operations, 'AWS::Lambda::Alias')).filter(([id]) =>
    id.startsWith(TITLE[stem]),
  );
  if (!entry) throw new Error(`${stem} has no alias`);
  return { id: entry[0], ...entry[1] } as (typeof entry)[1] & { id: string; UpdatePolicy?: Record<string, unknown> };
};

describe.each(STEMS)('the deployment of %s', (stem) => {
  const alias = aliasOf(stem);

  test('moves an alias to the version of the new code', () => {
    expect(alias.Properties).toMatchObject({
      Name: 'live',
      FunctionName: { Ref: expect.stringMatching(new RegExp(`^${TITLE[stem]}Function`)) },
      FunctionVersion: { 'Fn::GetAtt': [expect.stringContaining('CurrentVersion'), 'Version'] },
    });
  });

  test('gives the new version a tenth for a quarter of an hour, and takes it back when an alarm rings or it fails', () => {
    const group = resourceLike(operations, 'AWS::CodeDeploy::DeploymentGroup', TITLE[stem]).Properties;
    expect(group).toMatchObject({
      DeploymentConfigName: 'CodeDeployDefault.LambdaCanary10Percent15Minutes',
      DeploymentStyle: { DeploymentOption: 'WITH_TRAFFIC_CONTROL', DeploymentType: 'BLUE_GREEN' },
      AutoRollbackConfiguration: {
        Enabled: true,
        Events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_REQUEST', 'DEPLOYMENT_STOP_ON_ALARM'],
      },
      AlarmConfiguration: { Enabled: true, IgnorePollAlarmFailure: false },
    });
    const [groupId] = Object.keys(resourcesOf(operations, 'AWS::CodeDeploy::DeploymentGroup')).filter((id) =>
      id.startsWith(TITLE[stem]),
    );
    expect(alias.UpdatePolicy).toEqual({
      CodeDeployLambdaAliasUpdate: {
        ApplicationName: { Ref: expect.stringMatching(/^GradualDeployments/) },
        DeploymentGroupName: { Ref: groupId },
      },
    });
  });

  test('is watched by alarms that Monitoring has, of every severity, each of the way of an event', () => {
    const group = resourceLike(operations, 'AWS::CodeDeploy::DeploymentGroup', TITLE[stem]).Properties;
    const { Alarms } = group.AlarmConfiguration as { Alarms: { Name: unknown }[] };
    const names = Alarms.map(({ Name }) => String(Name).replace('BillingOps-production-', ''));
    expect(names.length).toBeGreaterThanOrEqual(4);
    expect(Object.keys(alarmsOfTemplate('production'))).toEqual(expect.arrayContaining(names));
    for (const name of GRADUAL_DEPLOYMENTS[stem]) expect(names.join()).toContain(name);
  });
});

test('requests of API Gateway reach the webhook by its alias alone', () => {
  const alias = aliasOf('webhook').id;
  const method = resourceLike(operations, 'AWS::ApiGateway::Method', 'webhooksstripePOST').Properties;
  expect(JSON.stringify(method.Integration)).toContain(`{"Ref":"${alias}"}`);
  const permissions = Object.values(resourcesOf(operations, 'AWS::Lambda::Permission')).filter(({ Properties }) =>
    JSON.stringify(Properties.Principal).includes('apigateway'),
  );
  expect(permissions.map(({ Properties }) => Properties.FunctionName)).toEqual([
    { Ref: alias },
    { 'Fn::GetAtt': [expect.stringMatching(/^ApiFunction/), 'Arn'] },
  ]);
});

test('messages of the queue reach the processor by its alias', () => {
  const mappings = Object.values(resourcesOf(operations, 'AWS::Lambda::EventSourceMapping'));
  expect(mappings).toHaveLength(1);
  expect(JSON.stringify(mappings[0]?.Properties.FunctionName)).toMatch(
    new RegExp(`"Ref":"${aliasOf('processor').id}".*:live"`),
  );
});

test('functions that a schedule invokes take their new code at once', () => {
  expect(liveAliases(operations)).toHaveLength(STEMS.length);
  expect(JSON.stringify(resourcesOf(operations, 'AWS::Scheduler::Schedule'))).not.toContain('Live');
});

test('an environment that deploys all at once keeps the aliases, so that nothing else changes', () => {
  const off = templatesOf('all-at-once').operations;
  const types = Object.values(resourcesOf(off)).map(({ Type }) => Type);
  expect(types.filter((type) => type.startsWith('AWS::CodeDeploy'))).toEqual([]);
  expect(liveAliases(off).map(({ UpdatePolicy }) => UpdatePolicy)).toEqual([undefined, undefined]);
});
