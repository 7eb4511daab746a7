import { localEnvironment } from '../../lib/config/built-environments';
import { exampleEnvironment } from '../support/example-environments';
import { localOptions, resourceLike, resourcesOf, templatesOf, type Synthesised } from './support';
import { synthesise } from './synthesise';

/** What a setting changes in the templates. Each test synthesises its own, which takes a second or two. */
interface Rule {
  readonly Name: string;
  readonly Priority: number;
  readonly Statement: { readonly AndStatement?: { readonly Statements: readonly object[] } };
}

interface Statement {
  readonly Sid?: string;
  readonly Condition?: unknown;
}

test('objects without metadata belong to the app and the project of the configuration', () => {
  const { operations } = synthesise({
    ...localEnvironment(localOptions()),
    stripe: { ...localEnvironment(localOptions()).stripe, defaultAppId: 'shop', defaultProjectId: 'courses' },
  });
  expect(resourceLike(operations, 'AWS::Lambda::Function', 'Processor').Properties).toMatchObject({
    Environment: { Variables: { DEFAULT_APP_ID: 'shop', DEFAULT_PROJECT_ID: 'courses' } },
  });
});

test('reconciliation runs at the hour of the configuration, over its days, and can be switched off', () => {
  const { operations } = synthesise(
    localEnvironment(
      localOptions({ reconciliation: { enabled: false, hourUtc: 5, daysBack: 14, sampledEntitlements: 9 } }),
    ),
  );
  const { Properties } = resourceLike(operations, 'AWS::Scheduler::Schedule', 'Daily');
  expect(Properties).toMatchObject({ ScheduleExpression: 'cron(0 5 * * ? *)', State: 'DISABLED' });
  operations.hasResourceProperties('AWS::Lambda::Function', {
    FunctionName: 'BillingOps-local-reconciliation',
    Environment: {
      Variables: {
        DAYS_BACK: '14',
        SAMPLED_ENTITLEMENTS: '9',
        STRIPE_API_BASE: 'http://127.0.0.1:12111',
        LIVEMODE: 'false',
      },
    },
  });
});

test.each([
  ['DEBUG', 'DEBUG'],
  ['INFO', 'INFO'],
  ['WARN', 'INFO'],
  ['ERROR', 'INFO'],
] as const)('with the log level %s, Lambda lets lines of level %s pass, as metrics have none', (logLevel, passed) => {
  const { operations } = synthesise({ ...localEnvironment(localOptions()), logLevel });
  for (const { Properties } of Object.values(resourcesOf(operations, 'AWS::Lambda::Function'))) {
    expect(Properties).toMatchObject({
      LoggingConfig: { ApplicationLogLevel: passed },
      Environment: { Variables: { LOG_LEVEL: logLevel } },
    });
  }
});

test('every address is admitted, unless the addresses of Stripe are configured: then the first rule that blocks does so to webhooks of all others', () => {
  expect(Object.keys(resourcesOf(templatesOf('production').operations, 'AWS::WAFv2::IPSet'))).toEqual([]);
  const dev = exampleEnvironment('dev');
  const named = synthesise({ ...dev, stripe: { ...dev.stripe, webhookAddresses: ['3.18.12.63/32'] } });
  const { Rules } = resourceLike(named.operations, 'AWS::WAFv2::WebACL', 'WebAcl').Properties;
  const first = (Rules as Rule[]).toSorted((a, b) => a.Priority - b.Priority)[1];
  expect(first).toMatchObject({ Name: 'only-from-stripe', Action: { Block: {} } });
  // Webhooks, however their path is written; applications call the API from anywhere.
  expect(first?.Statement.AndStatement?.Statements).toMatchObject([
    {
      ByteMatchStatement: {
        SearchString: '/webhooks/',
        PositionalConstraint: 'CONTAINS',
        FieldToMatch: { UriPath: {} },
      },
    },
    { NotStatement: {} },
  ]);
  expect(resourceLike(named.operations, 'AWS::WAFv2::IPSet', 'WebhookAddresses').Properties).toMatchObject({
    Addresses: ['3.18.12.63/32'],
  });
});

test('the firewall that admits only listed addresses admits those of the NAT gateways too, from which the canary then comes', () => {
  const dev = exampleEnvironment('dev');
  const stripe = { ...dev.stripe, webhookAddresses: ['3.18.12.63/32'] };
  const canaryOf = ({ operations }: Synthesised) =>
    resourceLike(operations, 'AWS::Lambda::Function', 'Canary').Properties as {
      VpcConfig?: object;
      Environment: { Variables: Record<string, string> };
    };
  const admitted = ({ operations }: Synthesised) => {
    const { Rules } = resourceLike(operations, 'AWS::WAFv2::WebACL', 'WebAcl').Properties;
    return JSON.stringify((Rules as Rule[]).find(({ Name }) => Name === 'only-from-stripe')?.Statement);
  };
  expect(canaryOf(templatesOf('dev')).VpcConfig).toBeUndefined();

  const created = synthesise({ ...dev, stripe });
  expect(canaryOf(created)).toMatchObject({ VpcConfig: {}, Environment: { Variables: { ADDRESSES_LISTED: 'true' } } });
  expect(admitted(created)).toMatch(/OrStatement.*WebhookAddresses.*ImportValue.*NetworkEgress/);
  const { Addresses } = resourceLike(created.data, 'AWS::WAFv2::IPSet', 'NetworkEgress').Properties;
  const gateways = Object.keys(resourcesOf(created.data, 'AWS::EC2::EIP'));
  expect(gateways.length).toBeGreaterThan(0);
  expect(Addresses).toEqual(gateways.map((id) => ({ 'Fn::Join': ['', [{ 'Fn::GetAtt': [id, 'PublicIp'] }, '/32']] })));

  const off = synthesise({ ...dev, stripe, canary: false });
  expect(admitted(off)).not.toContain('NetworkEgress');
  expect(Object.keys(resourcesOf(off.operations, 'AWS::Lambda::Function')).filter((id) => /Canary/.test(id))).toEqual(
    [],
  );
});

test('the password of an existing database is changed like that of a created one where the settings say so, and its group admits the function', () => {
  const dev = exampleEnvironment('dev');
  const secretArn = 'arn:aws:secretsmanager:eu-central-1:111111111111:secret:main-AbCdEf';
  const main = {
    kind: 'existing',
    host: 'db.example.com',
    port: 5433,
    databaseName: 'main',
    secretArn,
    managed: 'here',
    allocatedStorageGiB: 20,
    recoveryPoints: 'none',
    securityGroupId: 'sg-0000000a',
    logins: 'owner',
  } as const;
  const of = (rotation: boolean) =>
    synthesise({ ...dev, databases: { ...dev.databases, main: { ...main, people: [], rotation } } });
  const schedulesOf = ({ data }: Synthesised) =>
    Object.keys(resourcesOf(data, 'AWS::SecretsManager::RotationSchedule'));
  expect(schedulesOf(of(false))).toHaveLength(1);

  const rotated = of(true);
  expect(schedulesOf(rotated)).toHaveLength(2);
  const [schedule, created] = ['MainDatabasePassword', 'BillingDatabase'].map(
    (id) => resourceLike(rotated.data, 'AWS::SecretsManager::RotationSchedule', id).Properties,
  );
  expect(schedule).toMatchObject({
    SecretId: secretArn,
    RotateImmediatelyOnUpdate: false,
    RotationRules: created?.RotationRules,
    HostedRotationLambda: { RotationLambdaName: 'BillingOps-dev-rotate-main', RotationType: 'PostgreSQLSingleUser' },
  });
  expect(
    resourceLike(rotated.data, 'AWS::EC2::SecurityGroupIngress', 'MainDatabasePasswordFromRotation').Properties,
  ).toMatchObject({
    GroupId: 'sg-0000000a',
    FromPort: 5433,
    ToPort: 5433,
  });
  const alarms = (environment: Synthesised) =>
    Object.values(resourcesOf(environment.monitoring, 'AWS::CloudWatch::Alarm')).map(
      ({ Properties }) => Properties.AlarmName,
    );
  expect(alarms(rotated)).toContain('BillingOps-dev-rotationFailed-main');
});

test('the archive buckets let the break-glass role do both', () => {
  const breakGlassRoleArn = 'arn:aws:iam::333333333333:role/break-glass';
  const { data } = synthesise({ ...exampleEnvironment('production'), breakGlassRoleArn });
  const policies = Object.values(resourcesOf(data, 'AWS::S3::BucketPolicy'));
  const [locks, settings] = policies
    .flatMap(({ Properties }) => (Properties.PolicyDocument as { readonly Statement: readonly Statement[] }).Statement)
    .filter(({ Sid }) => Sid?.startsWith('Keep'));
  expect(locks?.Condition).toEqual({ ArnNotLike: { 'aws:PrincipalArn': [breakGlassRoleArn] } });
  expect(JSON.stringify(settings?.Condition)).toContain(breakGlassRoleArn);
});
