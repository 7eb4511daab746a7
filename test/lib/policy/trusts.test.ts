import { resourcesOf, templatesOf } from '../support';

/** Services that assume a role whoever has them act, and why. */
const UNCONDITIONED: Readonly<Record<string, string>> = {
  apigateway: 'documents no condition for the role that writes its logs',
  backup: 'documents no condition for its roles',
  codedeploy: 'the role is of the framework, which takes no condition',
  events: 'documents none for rules that send to a bus of another region',
  lambda: 'a function has its role by iam:PassRole, of its own account',
  'monitoring.rds': 'of the replica for reports: the role is of the framework',
  rds: 'of the proxy: the role is of the framework',
  s3: 'documents no condition for replication',
  'vpc-flow-logs': 'the role is of the framework',
};

test('services assume a role for this account alone, where they say whom they act for', () => {
  const roles = Object.values(templatesOf('production')).flatMap((template) =>
    template ? Object.values(resourcesOf(template, 'AWS::IAM::Role')) : [],
  );
  const trusts = roles.flatMap(
    ({ Properties }) =>
      (Properties.AssumeRolePolicyDocument as { Statement: { Principal: { Service: string }; Condition?: object }[] })
        .Statement,
  );
  const serviceOf = ({ Principal }: (typeof trusts)[number]) => Principal.Service.replace('.amazonaws.com', '');
  const open = trusts.filter(({ Condition }) => Condition === undefined);
  expect([...new Set(open.map(serviceOf))].toSorted()).toEqual(Object.keys(UNCONDITIONED).toSorted());
  const closed = trusts.filter(({ Condition }) => Condition !== undefined);
  expect([...new Set(closed.map(serviceOf))].toSorted()).toEqual([
    'export.rds',
    'monitoring.rds',
    'scheduler',
    'states',
  ]);
  for (const { Condition } of closed) {
    expect(Condition).toMatchObject({ StringEquals: { 'aws:SourceAccount': '333333333333' } });
  }
});
