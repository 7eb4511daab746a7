import { readFileSync } from 'node:fs';
import path from 'node:path';
import { bitcoinEnvironment, exampleEnvironment } from '../../support/example-environments';
import { resourceLike, resourcesOf } from '../support';
import { synthesise } from '../synthesise';

/** What an environment deploys whose functions log in as the least of the roles. */
const dev = exampleEnvironment('dev');
const { data, operations, monitoring } = synthesise({
  ...dev,
  bitcoin: bitcoinEnvironment().bitcoin,
  databases: {
    billing: { ...dev.databases.billing, logins: 'least' },
    main: { ...dev.databases.main, logins: 'least' },
  },
});

const secretOf = (login: string): [string, Record<string, unknown>] => {
  const found = Object.entries(resourcesOf(data, 'AWS::SecretsManager::Secret')).find(([id]) =>
    id.startsWith(`BillingLogins${login}Secret`),
  );
  if (!found) throw new Error(`no secret of ${login}`);
  return [found[0], found[1].Properties];
};

test('each login has a secret of its own in the form of AWS, and alternating users that change every 90 days', () => {
  for (const [login, user] of Object.entries({
    Service: 'billing_service_user',
    Collector: 'billing_collector_user',
    Backup: 'billing_backup_user',
    Api: 'billing_api_user',
  })) {
    const [id, properties] = secretOf(login);
    const template = JSON.stringify((properties.GenerateSecretString as Record<string, unknown>).SecretStringTemplate);
    expect(template).toContain(`\\"username\\":\\"${user}\\",\\"ssl\\":true,\\"masterarn\\":`);
    const [schedule] = Object.values(resourcesOf(data, 'AWS::SecretsManager::RotationSchedule')).filter(
      ({ Properties }) => JSON.stringify(Properties.SecretId) === JSON.stringify({ Ref: id }),
    );
    expect(schedule?.Properties).toMatchObject({
      HostedRotationLambda: {
        RotationType: 'PostgreSQLMultiUser',
        RotationLambdaName: `BillingOps-dev-rotate-billing-${login.toLowerCase()}`,
        MasterSecretArn: expect.anything() as object,
      },
      RotateImmediatelyOnUpdate: false,
      RotationRules: { ScheduleExpression: 'rate(90 days)' },
    });
  }
});

test('an alarm watches every function that rotates a password', () => {
  const rotating = Object.values(resourcesOf(data, 'AWS::SecretsManager::RotationSchedule')).map(
    ({ Properties }) => (Properties.HostedRotationLambda as { RotationLambdaName: string }).RotationLambdaName,
  );
  const watched = Object.values(resourcesOf(monitoring, 'AWS::CloudWatch::Alarm'))
    .filter(({ Properties }) => String(Properties.AlarmName).includes('rotationFailed-'))
    .map(({ Properties }) => (Properties.Dimensions as readonly { Value: string }[])[0]?.Value ?? '');
  expect(watched.toSorted()).toEqual(rotating.toSorted());
  expect(rotating).toContain('BillingOps-dev-rotate-billing-api');
});

test('operators see the age of each password, and may look up no more than its dates', () => {
  const { Environment } = resourceLike(operations, 'AWS::Lambda::Function', 'InspectFunction').Properties as {
    Environment: { Variables: Record<string, unknown> };
  };
  const dates = Object.entries(resourcesOf(operations, 'AWS::IAM::Policy'))
    .filter(([id]) => id.startsWith('Inspect'))
    .flatMap(
      ([, { Properties }]) => (Properties.PolicyDocument as { Statement: readonly { Action: unknown }[] }).Statement,
    )
    .filter(({ Action }) => Action === 'secretsmanager:ListSecretVersionIds');
  for (const login of ['Service', 'Collector', 'Backup', 'Api']) {
    const [id] = secretOf(login);
    expect(JSON.stringify(Environment.Variables.LOGIN_SECRETS)).toContain(id);
    expect(JSON.stringify(dates)).toContain(id);
  }
});

test('every rotation function reaches the database', () => {
  const descriptions = Object.values(resourcesOf(data, 'AWS::EC2::SecurityGroupIngress')).map(
    ({ Properties }) => Properties.Description,
  );
  for (const login of ['service', 'collector', 'backup', 'api']) {
    expect(descriptions).toContain(`The rotation function changes the password of ${login}`);
  }
});

test('the proxy knows the login of the processor', () => {
  const { Auth } = resourceLike(data, 'AWS::RDS::DBProxy', 'BillingDatabaseProxy').Properties as {
    Auth: readonly { SecretArn: unknown }[];
  };
  expect(JSON.stringify(Auth)).toContain(secretOf('Service')[0]);
});

test.each([
  ['Processor', 'Service'],
  ['Replay', 'Service'],
  ['Reconciliation', 'Service'],
  ['Refresh', 'Service'],
  ['Entitlements', 'Service'],
  ['Payouts', 'Service'],
  ['Confirmations', 'Service'],
  ['Cleanup', 'Service'],
  ['Backup', 'Backup'],
  ['Collector', 'Collector'],
  ['Api', 'Api'],
])('%s reads the secret of its login, and not that of the owner', (title, login) => {
  const environment = resourceLike(operations, 'AWS::Lambda::Function', `${title}Function`).Properties as {
    Environment: { Variables: Record<string, unknown> };
  };
  expect(JSON.stringify(environment.Environment.Variables.BILLING_DATABASE_SECRET_ARN)).toContain(
    `BillingLogins${login}Secret`,
  );
  const values = Object.entries(resourcesOf(operations, 'AWS::IAM::Policy'))
    .filter(([id]) => id.startsWith(title))
    .flatMap(([, { Properties }]) => (Properties.PolicyDocument as { Statement: readonly object[] }).Statement)
    .filter((statement) => JSON.stringify(statement).includes('secretsmanager:GetSecretValue'));
  expect(values.length).toBeGreaterThan(0);
  expect(JSON.stringify(values)).not.toContain('BillingDatabaseCredentials');
});

test('docs/access.md names the login of every function that has a database', () => {
  const logins = new Map<string, string[]>();
  for (const { Properties } of Object.values(resourcesOf(operations, 'AWS::Lambda::Function'))) {
    const { FunctionName, Environment } = Properties as {
      FunctionName?: string;
      Environment?: { Variables: Record<string, unknown> };
    };
    const stem = FunctionName?.replace('BillingOps-dev-', '') ?? '';
    const secrets = Object.entries(Environment?.Variables ?? {}).filter(([name]) =>
      /^(BILLING|MAIN)_DATABASE_SECRET_ARN$/.test(name),
    );
    const [login] = new Set(
      secrets.map(([, arn]) => /(?:Billing|Main)Logins(\w+?)Secret/.exec(JSON.stringify(arn))?.[1] ?? 'the owner'),
    );
    if (login !== undefined) logins.set(login, [...(logins.get(login) ?? []), stem]);
  }
  const page = readFileSync(path.resolve(__dirname, '../../../docs/access.md'), 'utf8');
  const written = [...page.matchAll(/^\| (?:`(\w+)`|(the owner)) +\| ([a-z, -]+?) +\| (?:billing|both) +\|$/gm)];
  expect(
    Object.fromEntries(written.map(([, login, owner, names = '']) => [login ?? owner, names.split(', ').toSorted()])),
  ).toEqual(
    Object.fromEntries(
      [...logins].map(([login, stems]) => [login === 'the owner' ? login : login.toLowerCase(), stems.toSorted()]),
    ),
  );
});

test('only what makes the users reads the passwords of all logins', () => {
  const readers = Object.entries(resourcesOf(operations, 'AWS::IAM::Policy')).filter(([, { Properties }]) =>
    (Properties.PolicyDocument as { Statement: readonly object[] }).Statement.map((one) => JSON.stringify(one)).some(
      (statement) =>
        statement.includes('secretsmanager:GetSecretValue') && statement.includes('BillingLoginsApiSecret'),
    ),
  );
  expect(readers.map(([id]) => /^[A-Z][a-z]+/.exec(id)?.[0] ?? id).toSorted()).toEqual(['Api', 'Migrate']);
});
