import { resourceLike, resourcesOf, templatesOf } from '../support';

const { operations } = templatesOf('bitcoin');
const functionOf = () => resourceLike(operations, 'AWS::Lambda::Function', 'Confirmations').Properties;

test('an environment that takes bitcoin has the function, with its node and its secret; any other has nothing of it', () => {
  expect(functionOf()).toMatchObject({
    FunctionName: 'BillingOps-production-confirmations',
    ReservedConcurrentExecutions: 1,
    VpcConfig: expect.anything(),
    Environment: {
      Variables: {
        BITCOIN_NETWORK: 'mainnet',
        NODE_URL: 'https://node.example.com:8332',
        NODE_SECRET_ARN: 'arn:aws:secretsmanager:eu-central-1:333333333333:secret:bitcoin-node-AbCdEf',
        NODE_EXTRA_CA_CERTS: expect.any(String),
      },
    },
  });
  const others = templatesOf('production');
  for (const template of [others.operations, others.monitoring, others.data]) {
    expect(/.{0,80}(?:bitcoin|-confirmations)/i.exec(JSON.stringify(template.toJSON()))).toBeNull();
  }
});

test('it runs every two minutes, ends before the next start, and leaves what failed in a queue', () => {
  const { Properties } = resourceLike(operations, 'AWS::Scheduler::Schedule', 'EveryTwoMinutes');
  expect(Properties).toMatchObject({
    ScheduleExpression: 'rate(2 minutes)',
    Target: { Input: '{"dryRun":false}', RetryPolicy: { MaximumEventAgeInSeconds: 60 } },
  });
  expect(Number(functionOf().Timeout)).toBeLessThan(120);
  const invoked = Object.values(resourcesOf(operations, 'AWS::Lambda::EventInvokeConfig'));
  expect(invoked).toContainEqual(
    expect.objectContaining({
      Properties: expect.objectContaining({
        FunctionName: { Ref: expect.stringMatching(/^Confirmations/) },
        MaximumRetryAttempts: 0,
        DestinationConfig: { OnFailure: { Destination: expect.anything() } },
      }),
    }),
  );
});

test('it reaches the addresses of the node at its port and no others, and reads the secrets of node and database only', () => {
  const group = resourceLike(operations, 'AWS::EC2::SecurityGroup', 'Confirmations').Properties;
  const rules = group.SecurityGroupEgress as { CidrIp?: string; FromPort: number }[];
  // The others lead to the security groups of database and cache.
  const addressed = rules.filter(({ CidrIp }) => CidrIp !== undefined);
  expect(addressed.map(({ CidrIp, FromPort }) => `${CidrIp} ${FromPort}`)).toEqual([
    '0.0.0.0/0 443',
    '10.40.7.8/32 8332',
  ]);
  const policies = Object.entries(resourcesOf(operations, 'AWS::IAM::Policy')).filter(([id]) =>
    /^Confirmations.*Role/.test(id),
  );
  const statements = policies.flatMap(
    ([, { Properties }]) =>
      (Properties.PolicyDocument as { Statement: { Action: unknown; Resource: unknown }[] }).Statement,
  );
  const secrets = statements.filter(({ Action }) => JSON.stringify(Action).includes('secretsmanager'));
  expect(secrets.flatMap(({ Action }) => Action)).toEqual(
    secrets.flatMap(() => ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue']),
  );
  expect(secrets.flatMap(({ Resource }) => Resource)).toHaveLength(2);
  expect(JSON.stringify(secrets)).not.toContain('*');
});
