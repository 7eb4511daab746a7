import { resourceLike, resourcesOf, templatesOf } from '../support';

const { operations } = templatesOf('move');

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

test('an environment that moves billing has the function, with both servers; any other has nothing of it', () => {
  expect(resourceLike(operations, 'AWS::Lambda::Function', 'Move').Properties).toMatchObject({
    FunctionName: 'BillingOps-production-move',
    ReservedConcurrentExecutions: 1,
    VpcConfig: expect.anything(),
    Environment: {
      Variables: {
        MOVE_HOST: 'new.example.com',
        MOVE_PORT: '5432',
        MOVE_SECRET_ARN: 'arn:aws:secretsmanager:eu-central-1:333333333333:secret:new-billing-AbCdEf',
        // The proxy, by which the processor reaches the old one.
        MOVE_FROM: expect.anything(),
      },
    },
  });
  expect(JSON.stringify(templatesOf('production').operations.toJSON())).not.toContain('-move"');
});

test('it writes the secrets of the database and no others, and reads those and that of the new server', () => {
  const statements = Object.entries(resourcesOf(operations, 'AWS::IAM::Policy'))
    .filter(([id]) => /^Move.*Role/.test(id))
    .flatMap(([, { Properties }]) => (Properties.PolicyDocument as { Statement: Statement[] }).Statement);
  const writing = statements.filter(({ Action }) => [Action].flat().includes('secretsmanager:PutSecretValue'));
  expect(writing).toHaveLength(1);
  // The owner of the tables and the four logins of functions.
  expect(writing[0]?.Resource).toHaveLength(5);
  expect(JSON.stringify(writing)).not.toContain('new-billing');
  const reading = statements.filter(({ Action }) => [Action].flat().includes('secretsmanager:GetSecretValue'));
  expect(reading.flatMap(({ Resource }) => Resource)).toHaveLength(6);
  // Whether a rotation is due is looked up for each of them.
  const describing = statements.filter(({ Action }) => [Action].flat().includes('secretsmanager:DescribeSecret'));
  for (const { Resource } of reading) expect(JSON.stringify(describing)).toContain(JSON.stringify(Resource));
  expect(JSON.stringify([...reading, ...writing])).not.toContain('"*"');
});

test('every function that connects to billing, the one that moves it among them, may open the port of the new server, which its secret sends it to', () => {
  const rules = Object.values(resourcesOf(operations, 'AWS::EC2::SecurityGroupIngress')).map(
    ({ Properties }) => Properties as { readonly GroupId: unknown; readonly Description: string },
  );
  const connecting = rules.flatMap(
    ({ Description }) => /^(.*) connects to the billing database$/.exec(Description)?.[1] ?? [],
  );
  expect(connecting).toEqual(expect.arrayContaining(['api', 'backup', 'collector', 'move', 'processor']));

  const ofOther = rules.filter(({ GroupId }) => GroupId === 'sg-0123456789abcdef0');
  const [clients, ...groups] = Object.entries(resourcesOf(operations, 'AWS::EC2::SecurityGroup')).filter(
    ([, { Properties }]) => JSON.stringify(Properties.SecurityGroupEgress).includes('sg-0123456789abcdef0'),
  );
  expect(groups).toEqual([]);
  const groupId = { 'Fn::GetAtt': [clients?.[0], 'GroupId'] };
  expect(ofOther).toEqual([
    {
      GroupId: 'sg-0123456789abcdef0',
      SourceSecurityGroupId: groupId,
      IpProtocol: 'tcp',
      FromPort: 5432,
      ToPort: 5432,
      Description: 'Functions connect to the other billing server',
    },
  ]);
  const within = Object.values(resourcesOf(operations, 'AWS::Lambda::Function')).filter(({ Properties }) =>
    JSON.stringify(Properties.VpcConfig ?? {}).includes(JSON.stringify(groupId)),
  );
  expect(
    within.map(({ Properties }) => String(Properties.FunctionName).replace(/^BillingOps-[a-z]+-/, '')).toSorted(),
  ).toEqual(connecting.toSorted());
});
