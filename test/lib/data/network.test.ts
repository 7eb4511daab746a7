import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { API_ENDPOINTS } from '../../../lib/data/network';
import { FUNCTIONS, resourceLike, resourcesOf, templatesOf } from '../support';

const { data, operations } = templatesOf('production');

/** Clients of the SDK, and the endpoint that their calls from inside the network take. */
const ENDPOINT_OF_CLIENT: Readonly<Record<string, string>> = {
  'client-s3': 'S3',
  'client-secrets-manager': 'SecretsManager',
  'powertools/parameters/secrets': 'SecretsManager',
  'client-rds': 'Rds',
  'client-sqs': 'Sqs',
  'client-kms': 'Kms',
};

/** @param folder relative to the root of the repository */
function sourcesOf(folder: string): string {
  const root = path.join(__dirname, '../../..', folder);
  return readdirSync(root, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(path.join(root, file), 'utf8'))
    .join('\n');
}

const groupId = (logicalId: string) => ({ 'Fn::GetAtt': [logicalId, 'GroupId'] });
const idOf = (reference: unknown) => (reference as { 'Fn::GetAtt'?: [string] })['Fn::GetAtt']?.[0] ?? '';

test('there are three zones with public, private and isolated subnets, and a NAT gateway in each zone', () => {
  const subnets = Object.keys(resourcesOf(data, 'AWS::EC2::Subnet'));
  for (const kind of ['public', 'private', 'billing', 'main']) {
    expect([kind, subnets.filter((id) => id.startsWith(`NetworkVpc${kind}`)).length]).toEqual([kind, 3]);
  }
  expect(Object.keys(resourcesOf(data, 'AWS::EC2::NatGateway'))).toHaveLength(3);
  expect(Object.keys(resourcesOf(templatesOf('dev').data, 'AWS::EC2::NatGateway'))).toHaveLength(1);
});

test('the subnets of the databases have no route out', () => {
  const routes = Object.entries(resourcesOf(data, 'AWS::EC2::Route')).map(([id]) => id);
  expect(routes.filter((id) => /^NetworkVpc(billing|main)/.test(id))).toEqual([]);
});

test('all traffic is logged, and the log is kept a year', () => {
  const log = resourceLike(data, 'AWS::EC2::FlowLog', 'Network').Properties;
  expect(log).toMatchObject({ ResourceType: 'VPC', TrafficType: 'ALL', LogDestinationType: 'cloud-watch-logs' });
  const { Ref } = log.LogGroupName as { Ref: string };
  expect(resourceLike(data, 'AWS::Logs::LogGroup', Ref).Properties.RetentionInDays).toBe(365);
});

test('every AWS API that a function in the network calls has an endpoint there', () => {
  const inNetwork = FUNCTIONS.filter((stem) => !['audit', 'canary', 'reset-password', 'webhook'].includes(stem));
  const clients = [...inNetwork.map((stem) => `lambdas/${stem}`), 'core'].flatMap((folder) =>
    [...sourcesOf(folder).matchAll(/from '@aws-(?:sdk|lambda)(?:-|\/)([\w/-]+)'/g)].map(([, client]) => client ?? ''),
  );
  const called = [...new Set(clients)].filter((client) => /^client-|parameters/.test(client));
  const endpoints = ['S3', ...Object.keys(API_ENDPOINTS)];
  expect(called).toContain('client-rds');
  // Through a NAT gateway: the collector asks the CloudWatch of the second region, which no endpoint of this network leads to,
  // a backup that starts a workflow asks Step Functions a few times a day, the API asks other functions for people, the monthly
  // report asks `inspect` and is sent by SNS, the weekly scan of the logs reads 3 GB at most, and the weekly check of regions asks AWS
  // Backup a few questions: not worth an endpoint in each zone.
  const outside = [
    'client-backup',
    'client-cloudformation',
    'client-cloudwatch',
    'client-cloudwatch-logs',
    'client-lambda',
    'client-sfn',
    'client-sns',
  ];
  const here = called.filter((client) => !outside.includes(client));
  expect(here.filter((client) => !endpoints.includes(ENDPOINT_OF_CLIENT[client] ?? ''))).toEqual([]);
});

test('the endpoints use the private names of their services and admit only the described callers', () => {
  const endpoints = Object.values(resourcesOf(data, 'AWS::EC2::VPCEndpoint'));
  const interfaces = endpoints.filter(({ Properties }) => Properties.VpcEndpointType === 'Interface');
  expect(interfaces).toHaveLength(Object.keys(API_ENDPOINTS).length);
  for (const { Properties } of interfaces) {
    expect(Properties).toMatchObject({
      PrivateDnsEnabled: true,
      SecurityGroupIds: [{ 'Fn::GetAtt': [expect.stringContaining('ApiSecurityGroup'), 'GroupId'] }],
    });
  }
  const callers = Object.entries(resourcesOf(operations, 'AWS::EC2::SecurityGroupIngress')).filter(([id]) =>
    id.includes('ToApis'),
  );
  expect(callers.map(([, { Properties }]) => String(Properties.Description)).toSorted()).toEqual(
    FUNCTIONS.filter((stem) => !['audit', 'canary', 'reset-password', 'webhook'].includes(stem)).map(
      (stem) => `${stem} calls AWS APIs`,
    ),
  );
});

test('the rotation function reaches the database whose password it changes, and Secrets Manager', () => {
  const rules = Object.values(resourcesOf(data, 'AWS::EC2::SecurityGroupIngress')).map(({ Properties }) => Properties);
  for (const title of ['BillingDatabase', 'MainDatabase']) {
    const rotation = rules.filter(({ SourceSecurityGroupId }) =>
      idOf(SourceSecurityGroupId).startsWith(`${title}CredentialsAttachmentRotation`),
    );
    expect(rotation.map(({ GroupId, FromPort }) => [idOf(GroupId).replace(/[0-9A-F]{8}$/, ''), FromPort])).toEqual(
      expect.arrayContaining([
        [`${title}SecurityGroup`, 5432],
        ['NetworkApiSecurityGroup', 443],
      ]),
    );
  }
});

describe('between main and billing', () => {
  const rules = [data, operations].flatMap((template) =>
    Object.values(resourcesOf(template, 'AWS::EC2::SecurityGroupIngress')).map(({ Properties }) => Properties),
  );

  /** Security groups that can be reached from one, through any number of others. */
  function reachableFrom(start: string): Set<string> {
    const reached = new Set([start]);
    for (const group of reached) {
      for (const { GroupId, SourceSecurityGroupId } of rules) {
        if (idOf(SourceSecurityGroupId) === group) reached.add(idOf(GroupId));
      }
    }
    return reached;
  }

  test('no chain of security groups leads from the main database to the billing database', () => {
    const groups = Object.keys(resourcesOf(data, 'AWS::EC2::SecurityGroup'));
    const ofMain = groups.filter((id) => id.startsWith('MainDatabase'));
    const ofBilling = groups.filter((id) => id.startsWith('BillingDatabase'));
    expect(ofMain.length).toBeGreaterThanOrEqual(3);
    for (const start of ofMain) expect(ofBilling.filter((id) => reachableFrom(start).has(id))).toEqual([]);
    // That chains are found at all.
    const proxy = ofBilling.find((id) => id.startsWith('BillingDatabaseProxySecurityGroup')) ?? '';
    expect([...reachableFrom(proxy)].some((id) => id.startsWith('BillingDatabaseSecurityGroup'))).toBe(true);
  });

  test('no subnet, subnet group or parameter group is shared', () => {
    const subnetsOf = (title: string) =>
      (resourceLike(data, 'AWS::RDS::DBSubnetGroup', title).Properties.SubnetIds as { Ref: string }[]).map(
        ({ Ref }) => Ref,
      );
    expect(subnetsOf('BillingDatabase').every((id) => id.startsWith('NetworkVpcbilling'))).toBe(true);
    expect(subnetsOf('MainDatabase').every((id) => id.startsWith('NetworkVpcmain'))).toBe(true);
  });
});

describe('the proxy of billing', () => {
  const proxy = resourceLike(data, 'AWS::RDS::DBProxy', 'BillingDatabase').Properties;

  test('refuses connections without TLS, and writes no statements to its log', () => {
    expect(proxy).toMatchObject({
      RequireTLS: true,
      DebugLogging: false,
      EngineFamily: 'POSTGRESQL',
      Auth: [{ AuthScheme: 'SECRETS', IAMAuth: 'DISABLED', ClientPasswordAuthType: 'POSTGRES_SCRAM_SHA_256' }],
    });
  });

  test('leaves connections for direct clients', () => {
    expect(resourceLike(data, 'AWS::RDS::DBProxyTargetGroup', 'Billing').Properties).toMatchObject({
      ConnectionPoolConfigurationInfo: { MaxConnectionsPercent: 60, ConnectionBorrowTimeout: 8 },
    });
  });

  test('serves only the processor: jobs with session state connect directly', () => {
    const hosts = Object.values(resourcesOf(operations, 'AWS::Lambda::Function')).flatMap(({ Properties }) => {
      const { Variables = {} } = (Properties.Environment ?? {}) as { Variables?: Record<string, unknown> };
      const host = JSON.stringify(Variables.BILLING_DATABASE_HOST ?? '');
      return host.includes('pooledhost') ? [Properties.FunctionName] : [];
    });
    expect(hosts).toEqual(['BillingOps-production-processor']);
  });
});

test('the analytics replica is private, allows long queries, and never delays the primary', () => {
  const replica = resourceLike(data, 'AWS::RDS::DBInstance', 'BillingDatabaseAnalytics').Properties;
  expect(replica).toMatchObject({
    DBInstanceIdentifier: 'billing-operations-production-billing-analytics',
    PubliclyAccessible: false,
    EnableCloudwatchLogsExports: ['postgresql', 'upgrade'],
    VPCSecurityGroups: [
      groupId(
        Object.keys(resourcesOf(data, 'AWS::EC2::SecurityGroup')).find((id) =>
          id.startsWith('BillingDatabaseAnalytics'),
        ) ?? '',
      ),
    ],
  });
  expect(
    resourceLike(data, 'AWS::RDS::DBParameterGroup', 'BillingDatabaseAnalytics').Properties.Parameters,
  ).toMatchObject({
    'rds.force_ssl': '1',
    statement_timeout: '900000',
    hot_standby_feedback: '0',
  });
  expect(Object.keys(resourcesOf(templatesOf('dev').data, 'AWS::RDS::DBInstance'))).toHaveLength(2);
});
