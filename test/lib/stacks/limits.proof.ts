import { App, Stack } from 'aws-cdk-lib';
import { PERSON_ACCESS } from '../../../core/access/contract';
import { createApp } from '../../../lib/app';
import { defineEnvironment, type EnvironmentConfig } from '../../../lib/config/environment-schema';
import { limitVariables } from '../../../lib/operations/variable-limit';
import { assertTemplatesFit } from '../../../lib/stacks/template-limits';
import { BITCOIN } from '../../support/example-environments';
import { stubBundles } from '../synthesise';

/** Two regions of a partition. That of China stands for all others: nothing but the names differs. */
const PARTITIONS = [
  ['aws', 'ap-southeast-1', 'ap-northeast-1'],
  ['aws-cn', 'cn-north-1', 'cn-northwest-1'],
] as const;
const ACCOUNT = '333333333333';
const many = <Item>(count: number, item: (index: number) => Item) => [...Array(count).keys()].map(item);

/** Everything that settings can switch on, a move included, in one environment with the longest name. */
function everything([partition, region, secondRegion]: (typeof PARTITIONS)[number]): EnvironmentConfig {
  const secretOf = (name: string) => `arn:${partition}:secretsmanager:${region}:${ACCOUNT}:secret:${name}-AbCdEf`;
  const addresses = (severity: string) => many(3, (n) => `${severity}${n}@example.com`);
  const emails = { warning: addresses('warning'), critical: addresses('critical') };
  const admission = {
    securityGroupIds: many(5, (n) => `sg-0000000${n}`),
    cidrs: many(20, (n) => `10.${n + 100}.0.0/16`),
  };
  const database = (prefix: string) => ({
    kind: 'create' as const,
    proxy: true,
    analyticsReplica: true,
    logins: 'least' as const,
    people: many(50, (n) => ({ user: `${prefix}${n}.somebody`, access: PERSON_ACCESS[n % 2] ?? 'readonly' })),
    admit: admission,
    admitToReplica: admission,
    instanceClass: 'm7g.xlarge',
    allocatedStorageGiB: 200,
    maximumStorageGiB: 1_000,
    multiAz: true,
  });
  return defineEnvironment({
    name: 'production-eu1',
    account: ACCOUNT,
    region,
    secondRegion,
    allowedRegions: [region, secondRegion],
    availabilityZones: ['a', 'b', 'c'].map((zone) => region + zone),
    network: { natGateways: 3 },
    removalProtection: true,
    logLevel: 'DEBUG',
    runbookUrl: `https://example.com/${'r'.repeat(180)}`,
    tags: Object.fromEntries(many(40, (n) => [`tag-${n}-${'k'.repeat(100)}`, 'v'.repeat(256)])),
    permissionsBoundaryArn: `arn:${partition}:iam::${ACCOUNT}:policy/boundary`,
    breakGlassRoleArn: `arn:${partition}:iam::${ACCOUNT}:role/${'b'.repeat(60)}`,
    backupAccount: {
      account: '444444444444',
      archiveKeyArn: `arn:${partition}:kms:${region}:444444444444:key/0f8e9c2a-0000-4000-8000-000000000001`,
    },
    domain: {
      name: 'billing.example.com',
      certificateArn: `arn:${partition}:acm:${region}:${ACCOUNT}:certificate/0f0f0f0f-1111-2222-3333-444444444444`,
      hostedZone: { id: 'Z0123456789ABC', name: 'example.com' },
    },
    stripe: { livemode: true, webhookAddresses: many(20, (n) => `3.18.12.${n}/32`) },
    cache: { kind: 'serverless' },
    processorConcurrency: 100,
    largeArchives: { concurrentParts: 100 },
    tilled: true,
    bitcoin: { ...BITCOIN, secretArn: secretOf('node'), nodeCidrs: [...BITCOIN.nodeCidrs] },
    openTelemetry: { layerArns: many(5, (n) => `arn:${partition}:lambda:${region}:${ACCOUNT}:layer:otel${n}:1`) },
    erasure: {
      main: many(10, (n) => ({
        schema: 'app',
        table: `table_${n}`,
        column: 'email',
        treatment: 'blank' as const,
        userColumn: 'user_id',
      })),
    },
    alarmEmails: emails,
    alarmOwners: { billing: emails, data: emails, platform: emails },
    databases: {
      billing: {
        ...database('ann'),
        move: { host: 'new.example.com', secretArn: secretOf('new'), securityGroupId: 'sg-0123456789abcdef0' },
      },
      main: database('bob'),
    },
  });
}

/** A value as long as it may become when it is deployed: of what only that knows, an ARN. */
function deployed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(deployed);
  if ('Fn::Join' in value) return (value['Fn::Join'] as [string, unknown[]])[1].map(deployed).join('');
  if (Object.keys(value).some((name) => name === 'Ref' || name.startsWith('Fn::'))) return 'x'.repeat(100);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, deployed(inner)]));
}

type Properties = Readonly<Record<string, unknown>>;
const lengthOf = (value: unknown) =>
  typeof value === 'string' ? value.length : JSON.stringify(value ?? '').length - 2;
const policyLength = (document: unknown) => JSON.stringify(document ?? '').replaceAll(/\s/g, '').length;

/** What AWS takes at most, by type: what is measured, and its limit. */
const LIMITS: Readonly<Record<string, readonly (readonly [string, (of: Properties) => number, number])[]>> = {
  'AWS::Lambda::Function': [
    ['the description', ({ Description }) => lengthOf(Description), 256],
    [
      'the variables',
      ({ Environment }) =>
        Object.entries((Environment as { Variables: object }).Variables)
          .flat()
          .join('').length,
      4_096,
    ],
  ],
  'AWS::CloudWatch::Alarm': [['the description', ({ AlarmDescription }) => lengthOf(AlarmDescription), 1_024]],
  'AWS::CloudWatch::CompositeAlarm': [
    ['the description', ({ AlarmDescription }) => lengthOf(AlarmDescription), 1_024],
    ['the rule', ({ AlarmRule }) => lengthOf(AlarmRule), 10_240],
    ['the alarms of the rule', ({ AlarmRule }) => (AlarmRule as string).split('ALARM(').length - 1, 100],
  ],
  'AWS::IAM::ManagedPolicy': [
    ['the name', ({ ManagedPolicyName }) => lengthOf(ManagedPolicyName), 128],
    ['the policy', ({ PolicyDocument }) => policyLength(PolicyDocument), 6_144],
  ],
  'AWS::IAM::Policy': [['the policy', ({ PolicyDocument }) => policyLength(PolicyDocument), 10_240]],
  'AWS::IAM::Role': [
    ['the name', ({ RoleName }) => lengthOf(RoleName), 100],
    ['managed policies', ({ ManagedPolicyArns = [] }) => (ManagedPolicyArns as unknown[]).length, 10],
    ['the trust', ({ AssumeRolePolicyDocument }) => policyLength(AssumeRolePolicyDocument), 2_048],
  ],
  'AWS::KMS::Key': [['the policy', ({ KeyPolicy }) => policyLength(KeyPolicy), 32_768]],
  'AWS::S3::BucketPolicy': [['the policy', ({ PolicyDocument }) => policyLength(PolicyDocument), 20_480]],
  'AWS::SNS::Topic': [['the name that is shown', ({ DisplayName }) => lengthOf(DisplayName), 100]],
  'AWS::SNS::TopicPolicy': [['the policy', ({ PolicyDocument }) => policyLength(PolicyDocument), 30_720]],
  'AWS::Events::Rule': [
    ['the description', ({ Description }) => lengthOf(Description), 512],
    ['targets', ({ Targets }) => (Targets as unknown[]).length, 5],
    ['the pattern', ({ EventPattern }) => JSON.stringify(EventPattern).length, 4_096],
  ],
  'AWS::Scheduler::Schedule': [['the name', ({ Name }) => lengthOf(Name), 64]],
  'AWS::StepFunctions::StateMachine': [['the definition', ({ DefinitionString }) => lengthOf(DefinitionString), 1e6]],
  'AWS::Logs::QueryDefinition': [
    ['the query', ({ QueryString }) => lengthOf(QueryString), 10_000],
    ['log groups', ({ LogGroupNames = [] }) => (LogGroupNames as unknown[]).length, 50],
  ],
  'AWS::Logs::MetricFilter': [['the pattern', ({ FilterPattern }) => lengthOf(FilterPattern), 1_024]],
  'AWS::CodeDeploy::DeploymentGroup': [
    ['alarms', ({ AlarmConfiguration }) => (AlarmConfiguration as { Alarms: unknown[] }).Alarms.length, 10],
  ],
  'AWS::EC2::SecurityGroup': [
    ['rules', ({ SecurityGroupIngress = [] }) => (SecurityGroupIngress as unknown[]).length, 60],
  ],
};

describe.each(PARTITIONS.map((partition) => ({ partition, name: partition[0] })))(
  'everything at once, in $name',
  ({ name, partition }) => {
    const [, region] = partition;
    const app = createApp([everything(partition)], {
      bundles: stubBundles(),
      context: { 'aws:cdk:bundling-stacks': [] },
    });
    const assembly = app.synth();
    const templates = assembly.stacks.map(
      (stack) =>
        [
          stack.stackName,
          stack.template as { Resources: Record<string, { Type: string; Properties?: object }> },
        ] as const,
    );

    test('fits into the templates that CloudFormation takes', () => {
      expect(() => assertTemplatesFit(assembly)).not.toThrow();
      for (const [stack, { Resources, ...rest }] of templates) {
        const { Outputs = {}, Parameters = {} } = rest as { Outputs?: object; Parameters?: object };
        expect([stack, Object.keys(Resources).length <= 500]).toEqual([stack, true]);
        expect([stack, Object.keys(Outputs).length <= 200, Object.keys(Parameters).length <= 200]).toEqual([
          stack,
          true,
          true,
        ]);
      }
    });

    test('keeps each resource within what its service takes', () => {
      const over = templates.flatMap(([, { Resources }]) =>
        Object.entries(Resources).flatMap(([id, { Type, Properties = {} }]) => {
          const properties = deployed(Properties) as Properties;
          return (LIMITS[Type] ?? []).flatMap(([what, measure, limit]) =>
            measure(properties) > limit ? [`${what} of ${id}: ${measure(properties)}, at most ${limit}`] : [],
          );
        }),
      );
      expect(over).toEqual([]);
      const found = new Set(templates.flatMap(([, { Resources }]) => Object.values(Resources).map(({ Type }) => Type)));
      expect(Object.keys(LIMITS).filter((type) => !found.has(type))).toEqual([]);
    });

    test('has the tags of the settings on the stacks, whose templates do not grow with them', () => {
      for (const stack of assembly.stacks) {
        expect(Object.keys(stack.tags)).toHaveLength(40);
        expect(JSON.stringify(stack.template)).not.toContain('tag-39-');
      }
    });

    test('names nothing of another partition, and the log service as the region calls it', () => {
      const texts = templates.map(([, template]) => JSON.stringify(template));
      const partitions = texts.flatMap((text) => [...text.matchAll(/\barn:(aws[\w-]*):/g)].map(([, found]) => found));
      expect(new Set(partitions)).toEqual(new Set([name]));
      const services = texts.flatMap((text) => [...text.matchAll(/"logs\.[\w.-]+"/g)].map(([found]) => found));
      expect(new Set(services)).toEqual(new Set([`"logs.${region}.amazonaws.com${name === 'aws-cn' ? '.cn' : ''}"`]));
    });
  },
);

test('a template that is too large is refused at synthesis, with what to leave out', () => {
  const template = { Resources: { Large: { Type: 'AWS::SNS::Topic', Properties: { DisplayName: 'x'.repeat(1e6) } } } };
  const assembly = { stacks: [{ stackName: 'BillingOps-dev-Operations', template }] };
  expect(() => assertTemplatesFit(assembly as never)).toThrow(
    /^BillingOps-dev-Operations: the template has \d+ bytes, and CloudFormation takes 1000000\nLeave out an optional part/,
  );
});

test('variables that Lambda would refuse are refused at synthesis, with the settings that shorten them', () => {
  const app = new App();
  const stack = new Stack(app, 'Any');
  limitVariables(stack, 'BillingOps-dev-migrate', { DATABASE_PEOPLE: 'x'.repeat(4_000), SECRET_ARN: stack.stackId });
  expect(() => app.synth()).toThrow(
    /the variables of BillingOps-dev-migrate have about 4145 bytes, and Lambda takes 4096: shorten `databases\.<…>\.people`/,
  );
});
