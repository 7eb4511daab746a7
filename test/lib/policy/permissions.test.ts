import { UNSCANNED_LOG } from '../../../lambdas/maintenance/contract';
import { EXAMPLES, exampleEnvironment } from '../../support/example-environments';
import { resourceLike, resourcesOf, templatesOf, type Synthesised } from '../support';

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** Managed policies of AWS, each with its use. */
const MANAGED_POLICIES: Readonly<Record<string, string>> = {
  'service-role/AmazonRDSEnhancedMonitoringRole': 'writes the metrics of the operating system',
  'service-role/AWSBackupServiceRolePolicyForBackup': 'takes recovery points',
  'service-role/AWSBackupServiceRolePolicyForRestores': 'restores recovery points to test them',
  'service-role/AWSCodeDeployRoleForLambdaLimited': 'moves the aliases of functions from version to version',
  'service-role/AmazonAPIGatewayPushToCloudWatchLogs': 'writes the access log',
};

function statementsOf({ data, operations, monitoring }: Synthesised, word = ''): Statement[] {
  return [data, operations, monitoring]
    .flatMap((template) => Object.entries(resourcesOf(template, 'AWS::IAM::Policy')))
    .filter(([id]) => id.includes(word))
    .flatMap(([, { Properties }]) => (Properties.PolicyDocument as { Statement: Statement[] }).Statement);
}

const actionsOf = (statement: Statement) => [statement.Action].flat();

describe.each(EXAMPLES)('the roles of %s', (environment) => {
  test('have only the managed policies that are listed here', () => {
    const { data, operations, monitoring } = templatesOf(environment);
    const attached = [data, operations, monitoring]
      .flatMap((template) => Object.values(resourcesOf(template, 'AWS::IAM::Role')))
      .flatMap(({ Properties }) => (Properties.ManagedPolicyArns ?? []) as unknown[])
      .map((arn) => /:iam::aws:policy\/([\w/-]+)/.exec(JSON.stringify(arn))?.[1] ?? JSON.stringify(arn));
    // Our own, by which maintenance sees where data is.
    const own = attached.filter((arn) => arn.includes('-residency-'));
    expect(own).toHaveLength(exampleEnvironment(environment).secondRegion === undefined ? 1 : 2);
    const ofAws = attached.filter((arn) => !own.includes(arn));
    expect([...new Set(ofAws)].toSorted()).toEqual(Object.keys(MANAGED_POLICIES).toSorted());
  });
});

test('the backup function can neither destroy an archive nor bypass its lock', () => {
  const statements = statementsOf(templatesOf('production'), 'BackupRole');
  const actions = statements.flatMap(actionsOf).filter((action) => action.startsWith('s3:'));
  // `DeleteObject` puts a marker over an object; its versions go by `DeleteObjectVersion`, which nobody has.
  expect([...new Set(actions)].toSorted()).toEqual([
    's3:AbortMultipartUpload',
    's3:DeleteObject',
    's3:GetObject',
    's3:GetObjectRetention',
    's3:ListBucket',
    's3:ListBucketMultipartUploads',
    's3:PutObject',
    's3:PutObjectRetention',
  ]);
});

describe.each(EXAMPLES)('the signatures of the archives of %s', (environment) => {
  const templates = templatesOf(environment);

  test('are made by the role of the backup function alone, whatever other policies allow', () => {
    const signing = statementsOf(templates).filter((one) => actionsOf(one).includes('kms:Sign'));
    const ofBackup = statementsOf(templates, 'BackupRole').filter((one) => actionsOf(one).includes('kms:Sign'));
    expect(signing).toHaveLength(1);
    expect(signing).toEqual(ofBackup);
    const role = resourceLike(templates.operations, 'AWS::IAM::Role', 'BackupRole').Properties.RoleName as string;
    const key = resourceLike(templates.data, 'AWS::KMS::Key', 'ArchiveSigningKey').Properties;
    expect(key).toMatchObject({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    expect((key.KeyPolicy as { Statement: Statement[] }).Statement).toContainEqual({
      Sid: 'OnlyBackupsSign',
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: 'kms:Sign',
      Resource: '*',
      Condition: {
        ArnNotEquals: { 'aws:PrincipalArn': expect.stringMatching(new RegExp(`:role/${role}$`)) as string },
      },
    });
  });

  test('are checked by every function that acts on an archive', () => {
    for (const word of ['BackupRole', 'RestoreRole', 'DrillRole', 'RowRecoveryRole', 'InspectRole']) {
      expect([word, statementsOf(templates, word).flatMap(actionsOf)]).toEqual([
        word,
        expect.arrayContaining(['kms:GetPublicKey']) as string[],
      ]);
    }
  });
});

test('the restore function writes nothing to the archives', () => {
  const actions = statementsOf(templatesOf('production'), 'Restore').flatMap(actionsOf);
  expect(actions.filter((action) => /^s3:(Put|Delete|Abort|\*)/.test(action))).toEqual([]);
});

test('the webhook function reaches the signing secret and the queue, and no database', () => {
  const statements = statementsOf(templatesOf('production'), 'Webhook');
  expect(JSON.stringify(statements)).not.toContain('Database');
  expect(statements.flatMap(actionsOf).toSorted()).toEqual([
    'kms:Decrypt',
    'logs:CreateLogStream',
    'logs:PutLogEvents',
    'secretsmanager:DescribeSecret',
    'secretsmanager:GetSecretValue',
    'sqs:GetQueueAttributes',
    'sqs:GetQueueUrl',
    'sqs:SendMessage',
    'xray:PutTelemetryRecords',
    'xray:PutTraceSegments',
  ]);
});

test.each(EXAMPLES)(
  'the policies of %s pass keys on to AWS services only, never to another principal',
  (environment) => {
    const granting = statementsOf(templatesOf(environment)).filter((one) => actionsOf(one).includes('kms:CreateGrant'));
    // Two recovery workflows, two that compare rows, two that archive large databases, two that rehearse, and the export of snapshots.
    expect(granting).toHaveLength(9);
    for (const { Action, Condition } of granting) {
      expect(Action).toBe('kms:CreateGrant');
      expect(Condition).toEqual({ Bool: { 'kms:GrantIsForAWSResource': 'true' } });
    }
  },
);
test('a function writes to its own log and to no other', () => {
  const statements = statementsOf(templatesOf('production'), 'Processor').filter((statement) =>
    actionsOf(statement).includes('logs:PutLogEvents'),
  );
  expect(statements.map(({ Resource }) => JSON.stringify(Resource))).toEqual([
    expect.stringMatching(/^\{"Fn::GetAtt":\["ProcessorLog\w+","Arn"\]\}$/),
  ]);
});

test('the code of a function in the network is denied the actions by which Lambda attaches it', () => {
  const denied = statementsOf(templatesOf('production'), 'Processor').filter(({ Effect }) => Effect === 'Deny');
  expect(denied).toEqual([
    expect.objectContaining({
      Action: expect.arrayContaining(['ec2:CreateNetworkInterface', 'ec2:DeleteNetworkInterface']) as string[],
      Condition: {
        ArnEquals: {
          'lambda:SourceFunctionArn':
            'arn:aws:lambda:eu-central-1:333333333333:function:BillingOps-production-processor',
        },
      },
    }),
  ]);
});

test('functions that need only billing cannot read the secret of the main database', () => {
  for (const word of ['Processor', 'Reconciliation']) {
    expect(JSON.stringify(statementsOf(templatesOf('production'), word))).not.toContain('MainDatabase');
  }
});

describe('in every environment', () => {
  const { data, operations } = templatesOf('production');

  test('buckets block public access and refuse plain HTTP', () => {
    const buckets = Object.values(resourcesOf(data, 'AWS::S3::Bucket'));
    expect(buckets).toHaveLength(2);
    for (const { Properties } of buckets) {
      expect(Properties.PublicAccessBlockConfiguration).toEqual({
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      });
    }
    const policies = JSON.stringify(resourcesOf(data, 'AWS::S3::BucketPolicy'));
    expect(policies.match(/"aws:SecureTransport":"false"/g)).toHaveLength(2);
  });

  test('no security group admits an address range', () => {
    const groups = [data, operations].flatMap((template) =>
      Object.values(resourcesOf(template, 'AWS::EC2::SecurityGroup')),
    );
    expect(groups.flatMap(({ Properties }) => (Properties.SecurityGroupIngress ?? []) as unknown[])).toEqual([]);
    const rules = [data, operations].flatMap((template) =>
      Object.values(resourcesOf(template, 'AWS::EC2::SecurityGroupIngress')),
    );
    expect(rules.filter(({ Properties }) => Properties.SourceSecurityGroupId === undefined)).toEqual([]);
  });

  test('each rule that admits a client to a database or to AWS APIs describes the client', () => {
    for (const [id, { Properties }] of Object.entries(resourcesOf(operations, 'AWS::EC2::SecurityGroupIngress'))) {
      expect([id, Properties.Description]).toEqual([
        id,
        expect.stringMatching(
          /^[\w-]+ (connects to the (billing|main) database|calls AWS APIs|reads and writes entitlements)$/,
        ),
      ]);
    }
  });

  test('queues are encrypted and refuse plain HTTP', () => {
    const queues = Object.entries(resourcesOf(operations, 'AWS::SQS::Queue'));
    const policies = JSON.stringify(resourcesOf(operations, 'AWS::SQS::QueuePolicy'));
    expect(policies.match(/"aws:SecureTransport":"false"/g)).toHaveLength(queues.length);
    for (const [id, { Properties }] of queues) expect([id, Properties.SqsManagedSseEnabled]).toEqual([id, true]);
  });

  test('the databases cannot open connections', () => {
    expect(
      resourceLike(data, 'AWS::EC2::SecurityGroup', 'BillingDatabaseSecurityGroup').Properties.SecurityGroupEgress,
    ).toEqual([expect.objectContaining({ CidrIp: '255.255.255.255/32' })]);
  });
});

test('a role is passed to the service that it is for, and to no other', () => {
  const passing = statementsOf(templatesOf('production')).filter((one) => actionsOf(one).includes('iam:PassRole'));
  // The role of exports, and that of the metrics of each recovered instance.
  expect(passing.map(({ Action, Condition }) => [Action, Condition])).toEqual(
    ['export', 'monitoring', 'monitoring'].map((part) => [
      'iam:PassRole',
      { StringEquals: { 'iam:PassedToService': ['rds.amazonaws.com', `${part}.rds.amazonaws.com`] } },
    ]),
  );
});

describe('the archive buckets', () => {
  const deniedIn = (template: Synthesised['data'] | undefined) =>
    Object.values(template ? resourcesOf(template, 'AWS::S3::BucketPolicy') : {})
      .flatMap(
        ({ Properties }) => (Properties.PolicyDocument as { Statement: (Statement & { Sid?: string })[] }).Statement,
      )
      .filter(({ Sid }) => Sid?.startsWith('Keep'));

  test('let nobody end a lock early, and settings change by deployment only', () => {
    const { data, recovery } = templatesOf('production');
    for (const [template, region] of [
      [data, 'eu-central-1'],
      [recovery, 'eu-west-1'],
    ] as const) {
      const [locks, erasures, settings, ...others] = deniedIn(template);
      expect(locks).toMatchObject({ Effect: 'Deny', Principal: { AWS: '*' }, Action: 's3:BypassGovernanceRetention' });
      expect(locks?.Condition).toBeUndefined();
      expect(erasures).toMatchObject({ Effect: 'Deny', Principal: { AWS: '*' }, Action: 's3:DeleteObject' });
      expect(JSON.stringify(erasures?.Resource)).toContain('/erasures/*');
      expect(settings).toMatchObject({
        Effect: 'Deny',
        Principal: { AWS: '*' },
        Action: expect.arrayContaining(['s3:PutLifecycleConfiguration', 's3:PutReplicationConfiguration']),
      });
      const exempt = JSON.stringify(settings?.Condition);
      expect(exempt).toContain(`:iam::333333333333:role/cdk-*-cfn-exec-role-333333333333-${region}`);
      expect(others).toEqual([]);
    }
  });
});

test('the role of the API may invoke the aliases named for it and no function by its name', () => {
  const aliases = Object.entries(resourcesOf(templatesOf('production').operations, 'AWS::Lambda::Alias')).filter(
    ([, { Properties }]) => Properties.Name === 'api',
  );
  expect(aliases.map(([, { Properties }]) => Properties.FunctionVersion)).toEqual(Array(4).fill('$LATEST'));
  const statements = statementsOf(templatesOf('production'), 'ApiRole').filter((one) =>
    actionsOf(one).some((action) => action.startsWith('lambda:')),
  );
  expect(statements).toEqual([
    { Action: 'lambda:InvokeFunction', Effect: 'Allow', Resource: aliases.map(([id]) => ({ Ref: id })) },
  ]);
});

test('the maintenance function may read every log of the stacks but the flow log, and no other', () => {
  const { data, operations, monitoring, recovery } = templatesOf('production');
  const read = Object.entries(resourcesOf(operations, 'AWS::IAM::ManagedPolicy'))
    .filter(([id]) => id.startsWith('MaintenanceReadLogs'))
    .flatMap(([, { Properties }]) => (Properties.PolicyDocument as { Statement: Statement[] }).Statement);
  expect(new Set(read.flatMap(actionsOf))).toEqual(
    new Set(['logs:FilterLogEvents', 'logs:DescribeSubscriptionFilters']),
  );
  const ofOperations = Object.keys(resourcesOf(operations, 'AWS::Logs::LogGroup')).map((id) => ({
    'Fn::GetAtt': [id, 'Arn'],
  }));
  const logsOfData = Object.entries(resourcesOf(data, 'AWS::Logs::LogGroup'));
  const ofData = logsOfData.flatMap(([id, { Properties }]) =>
    id.startsWith(UNSCANNED_LOG) ? [] : [`:log-group:${String(Properties.LogGroupName)}:*`],
  );
  const resources = read.flatMap(({ Resource }) => [Resource].flat());
  const named = resources.flatMap((resource) => /:log-group:[^"]+/.exec(JSON.stringify(resource))?.[0] ?? []);
  const written = resources.map((resource) => JSON.stringify(resource)).filter((text) => text.includes('Fn::GetAtt'));
  expect(written.toSorted()).toEqual(ofOperations.map((resource) => JSON.stringify(resource)).toSorted());
  expect(named.toSorted()).toEqual(ofData.toSorted());
  expect(logsOfData).toHaveLength(ofData.length + 1);
  for (const other of [monitoring, recovery]) expect(other && resourcesOf(other, 'AWS::Logs::LogGroup')).toEqual({});
});

test('the maintenance function may ask where each resource of the stacks is, by its exact ARN, and read nothing of it', () => {
  const { data, operations, recovery } = templatesOf('production');
  if (!recovery) throw new Error('production has a second region');
  const policies = [data, recovery].map((template) => {
    const [policy] = Object.entries(resourcesOf(template, 'AWS::IAM::ManagedPolicy')).flatMap(([id, { Properties }]) =>
      id.startsWith('ResidencyReads') ? [Properties] : [],
    );
    return policy as { ManagedPolicyName: string; PolicyDocument: { Statement: Statement[] } };
  });
  expect(policies.map(({ ManagedPolicyName: name }) => name)).toEqual([
    'BillingOps-production-Data-residency-eu-central-1',
    'BillingOps-production-Recovery-residency-eu-west-1',
  ]);
  const role = JSON.stringify(resourceLike(operations, 'AWS::IAM::Role', 'MaintenanceRole'));
  for (const { ManagedPolicyName: name } of policies) expect(role).toContain(`:policy/${name}`);

  const asked: Readonly<Record<string, (id: string) => unknown>> = {
    'AWS::S3::Bucket': (id) => ({ 'Fn::GetAtt': [id, 'Arn'] }),
    'AWS::SecretsManager::Secret': (id) => ({ Ref: id }),
    'AWS::RDS::DBInstance': (id) => ({ 'Fn::GetAtt': [id, 'DBInstanceArn'] }),
    'AWS::Backup::BackupPlan': (id) => ({ 'Fn::GetAtt': [id, 'BackupPlanArn'] }),
  };
  for (const [index, template] of [data, recovery].entries()) {
    const statements = policies[index]?.PolicyDocument.Statement ?? [];
    const named = statements.flatMap(({ Resource }) => [Resource].flat()).map((arn) => JSON.stringify(arn));
    const expected = Object.entries(asked).flatMap(([type, arnOf]) =>
      Object.keys(resourcesOf(template, type)).map((id) => JSON.stringify(arnOf(id))),
    );
    const flowLogs = Object.keys(resourcesOf(template, 'AWS::Logs::LogGroup')).filter((id) =>
      id.startsWith(UNSCANNED_LOG),
    );
    const logs = flowLogs.map((id) => JSON.stringify({ 'Fn::GetAtt': [id, 'Arn'] }));
    expect(named.toSorted()).toEqual([...expected, ...logs].toSorted());
    for (const action of statements.flatMap(actionsOf)) expect(action).toMatch(/:(Describe|GetB|GetRep)/);
  }
});
