import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, type ScalarTag } from 'yaml';
import { checkEnvironment } from '../../../lib/config/environment-schema';
import { residencyPolicyName } from '../../../lib/data/residency-reads';
import { exampleEnvironment } from '../../support/example-environments';
import { resourceLike, resourcesOf } from '../support';
import { synthesise } from '../synthesise';

const production = exampleEnvironment('production');
const { billing, main } = production.databases;
if (billing.kind !== 'create' || main.kind !== 'create') throw new Error('The example creates both databases');
const { data, operations } = synthesise({
  ...production,
  databases: {
    billing: {
      ...billing,
      analyticsReplica: true,
      people: [
        { user: 'ann', access: 'readonly' },
        { user: 'bob.smith', access: 'service' },
      ],
    },
    main: { ...main, people: [{ user: 'ann', access: 'readonly' }], resourceId: 'db-ABCDEFGHIJKLMNOPQRSTUVWXY2' },
  },
});

const RESIDENCY_POLICY = residencyPolicyName('production', 'Data', 'eu-central-1');

/** An ARN of the template in one string, with `GetAtt` as `<id>`. */
const textOf = (value: unknown): string => {
  if (typeof value === 'string') return value;
  const { Ref, ...functions } = value as {
    Ref?: string;
    'Fn::GetAtt'?: [string, string];
    'Fn::Join'?: [string, unknown[]];
  };
  if (Ref !== undefined) return Ref.replace('AWS::', '');
  if (functions['Fn::GetAtt']) return `<${functions['Fn::GetAtt'].join('.')}>`;
  return (functions['Fn::Join']?.[1] ?? []).map(textOf).join('');
};

test('each person has a policy that lets its holder log in as this user to these instances, and no more', () => {
  const policies = Object.values(resourcesOf(data, 'AWS::IAM::ManagedPolicy')).flatMap(({ Properties }) => {
    const { ManagedPolicyName: name, Roles, Users, Groups, PolicyDocument } = Properties;
    const { Statement } = PolicyDocument as { Statement: readonly Record<string, unknown>[] };
    // Of a function that looks up regions. Any other policy would be in the list.
    return name === RESIDENCY_POLICY ? [] : [{ name, attachedTo: [Roles, Users, Groups], Statement }];
  });
  expect(policies.map(({ name, attachedTo }) => [name, attachedTo])).toEqual([
    ['BillingOps-production-database-ann', [undefined, undefined, undefined]],
    ['BillingOps-production-database-bob.smith', [undefined, undefined, undefined]],
  ]);
  const allowed = policies.map(({ Statement }) =>
    Statement.map(({ Effect, Action, Resource }) => [Effect, Action, [Resource].flat().map(textOf)]),
  );
  const on = (id: RegExp) => {
    const [instance] = Object.keys(resourcesOf(data, 'AWS::RDS::DBInstance')).filter((one) => id.test(one));
    return `arn:aws:rds-db:eu-central-1:333333333333:dbuser:<${instance}.DbiResourceId>`;
  };
  const primary = on(/^BillingDatabaseInstance/);
  const replica = on(/^BillingDatabaseAnalyticsInstance/);
  const recovered = 'arn:aws:rds-db:eu-central-1:333333333333:dbuser:db-ABCDEFGHIJKLMNOPQRSTUVWXY2';
  expect(allowed).toEqual([
    [['Allow', 'rds-db:connect', [`${recovered}/ann`, `${replica}/ann`, `${primary}/ann`]]],
    [['Allow', 'rds-db:connect', [`${replica}/bob.smith`, `${primary}/bob.smith`]]],
  ]);
});

test('every instance takes logins by IAM', () => {
  const instances = Object.entries(resourcesOf(data, 'AWS::RDS::DBInstance'));
  expect(instances).toHaveLength(3);
  for (const [id, { Properties }] of instances) {
    expect([id, Properties.EnableIAMDatabaseAuthentication]).toEqual([id, true]);
  }
});

test('the function that makes the users is told the people, and no other function is', () => {
  const told = Object.entries(resourcesOf(operations, 'AWS::Lambda::Function')).filter(([, { Properties }]) =>
    JSON.stringify(Properties).includes('DATABASE_PEOPLE'),
  );
  expect(told.map(([id]) => id.slice(0, 7))).toEqual(['Migrate']);
  const { Environment } = resourceLike(operations, 'AWS::Lambda::Function', 'MigrateFunction').Properties as {
    Environment: { Variables: { DATABASE_PEOPLE: string } };
  };
  expect(JSON.parse(Environment.Variables.DATABASE_PEOPLE)).toEqual({
    billing: { readonly: ['ann'], service: ['bob.smith'] },
    main: { readonly: ['ann'], service: [] },
  });
});

test('a user that is a role of the platform, one of two accesses, and people of an instance without its id are refused', () => {
  const existing = {
    kind: 'existing',
    host: 'db.example.com',
    port: 5432,
    allocatedStorageGiB: 20,
    secretArn: 'arn:aws:secretsmanager:eu-central-1:333333333333:secret:one-AbCdEf',
  };
  const people = (user: string, access = 'readonly') => [{ user, access }];
  const problemsOf = (one: object, other: object) => {
    const checked = checkEnvironment({
      ...production,
      cache: { kind: 'none' },
      network: undefined,
      databases: {
        billing: { ...existing, databaseName: 'b', ...one },
        main: { ...existing, databaseName: 'm', ...other },
      },
    });
    return 'problems' in checked ? checked.problems.map(({ text }) => text) : [];
  };
  const resourceId = 'db-ABCDEFGHIJKLMNOPQRSTUVWXY2';
  expect(problemsOf({ people: people('ann'), resourceId }, { people: people('ann'), resourceId })).toEqual([]);
  expect(problemsOf({ people: people('billing_admin'), resourceId }, { people: people('ann'), resourceId })).toEqual([
    expect.stringContaining(
      'databases.billing.people.0.user must not begin as a role of PostgreSQL, RDS or this platform',
    ),
  ]);
  expect(problemsOf({ people: people('ann'), resourceId }, { people: people('ann', 'service') })).toEqual([
    expect.stringContaining('databases.main.resourceId must be given with `people`'),
    expect.stringContaining('databases.main.people.0.access must be readonly, as in billing'),
  ]);
});

test('the stack says which regions data may be in, for ops doctor to compare', () => {
  expect(data.findOutputs('AllowedRegions')).toMatchObject({
    AllowedRegions: { Value: production.allowedRegions.join(',') },
  });
});

interface Example {
  readonly Resources: Readonly<
    Record<string, { readonly Type: string; readonly Properties: Readonly<Record<string, unknown>> }>
  >;
}

test('the host of sessions has no public address, admits nobody, and is reached by those of its policy alone', () => {
  const customTags: ScalarTag[] = ['!Sub', '!Ref', '!GetAtt'].map((tag) => ({ tag, resolve: (text: string) => text }));
  const file = path.resolve(__dirname, '../../../examples/session-host/stack.yaml');
  const { Resources } = parse(readFileSync(file, 'utf8'), { customTags }) as Example;
  const propertiesOf = (id: string) => Resources[id]?.Properties ?? {};
  const host = propertiesOf('Host');
  expect(host).toMatchObject({
    NetworkInterfaces: [{ AssociatePublicIpAddress: false, GroupSet: ['SecurityGroup'] }],
    MetadataOptions: { HttpTokens: 'required' },
    BlockDeviceMappings: [{ Ebs: { Encrypted: true } }],
  });
  expect(host.KeyName).toBeUndefined();
  expect(propertiesOf('SecurityGroup').SecurityGroupIngress).toBeUndefined();
  expect(propertiesOf('Role').ManagedPolicyArns).toEqual([
    'arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore',
  ]);
  const { Statement } = propertiesOf('SessionPolicy').PolicyDocument as {
    Statement: { Action: string[]; Resource: string[] }[];
  };
  expect(Statement).toEqual([
    {
      Effect: 'Allow',
      Action: 'ssm:StartSession',
      Resource: [
        'arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:instance/${Host}',
        'arn:${AWS::Partition}:ssm:${AWS::Region}::document/AWS-StartPortForwardingSessionToRemoteHost',
      ],
      Condition: { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } },
    },
    {
      Effect: 'Allow',
      Action: ['ssm:ResumeSession', 'ssm:TerminateSession'],
      Resource: 'arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:session/${!aws:userid}-*',
    },
  ]);
});
