import { App } from 'aws-cdk-lib';
import { EnvironmentStack } from '../../../lib/stacks/environment-stack';
import { adoptingEnvironment, BOUNDARY } from '../../support/example-environments';
import { resourceLike, resourcesOf, templatesOf } from '../support';

const { data, operations, monitoring } = templatesOf('adopting');

describe('databases that are created in an existing network', () => {
  test('are in its subnets, and nothing of the network is created', () => {
    for (const type of [
      'AWS::EC2::VPC',
      'AWS::EC2::Subnet',
      'AWS::EC2::NatGateway',
      'AWS::EC2::VPCEndpoint',
      'AWS::EC2::FlowLog',
    ]) {
      expect([type, Object.keys(resourcesOf(data, type))]).toEqual([type, []]);
    }
    const groups = Object.values(resourcesOf(data, 'AWS::RDS::DBSubnetGroup'));
    expect(groups.map(({ Properties }) => Properties.SubnetIds)).toEqual([
      ['subnet-0000000c', 'subnet-0000000d'],
      ['subnet-0000000c', 'subnet-0000000d'],
    ]);
    expect(resourceLike(data, 'AWS::RDS::DBProxy', 'Billing').Properties.VpcSubnetIds).toEqual([
      'subnet-0000000c',
      'subnet-0000000d',
    ]);
  });

  test('are reached by functions in the private subnets, which its endpoints admit', () => {
    expect(resourceLike(operations, 'AWS::Lambda::Function', 'Processor').Properties).toMatchObject({
      VpcConfig: { SubnetIds: ['subnet-0000000a', 'subnet-0000000b'] },
    });
    expect(resourceLike(operations, 'AWS::EC2::SecurityGroupIngress', 'ProcessorToApis').Properties).toMatchObject({
      GroupId: 'sg-0000000e',
      FromPort: 443,
    });
    const rules = Object.values(resourcesOf(data, 'AWS::EC2::SecurityGroupIngress'));
    expect(rules.filter(({ Properties }) => Properties.GroupId === 'sg-0000000e')).toHaveLength(2);
  });

  test('admit the applications that the settings name, each server its own', () => {
    const admittedBy = (id: string) =>
      (
        (resourceLike(data, 'AWS::EC2::SecurityGroup', id).Properties.SecurityGroupIngress ?? []) as Record<
          string,
          unknown
        >[]
      ).map(
        ({ CidrIp, SourceSecurityGroupId, FromPort }) =>
          `${String(CidrIp ?? SourceSecurityGroupId)}:${String(FromPort)}`,
      );
    const both = ['10.99.0.0/16:5432', 'sg-0000000d:5432'];
    const ruleOf = (id: string) =>
      Object.values(resourcesOf(data, 'AWS::EC2::SecurityGroupIngress'))
        .filter(
          ({ Properties }) =>
            Properties.SourceSecurityGroupId === 'sg-0000000d' && JSON.stringify(Properties.GroupId).includes(id),
        )
        .map(({ Properties }) => `${String(Properties.SourceSecurityGroupId)}:${String(Properties.FromPort)}`);
    const all = (id: string) => [...admittedBy(id), ...ruleOf(id)].toSorted();
    expect(all('BillingDatabaseSecurityGroup')).toEqual(both);
    expect(all('BillingDatabaseProxySecurityGroup')).toEqual(both);
    expect(all('BillingDatabaseAnalyticsSecurityGroup')).toEqual(['10.98.0.0/16:5432']);
    expect(all('MainDatabaseSecurityGroup')).toEqual([]);
  });
});

test('every role has the permissions boundary of the settings', () => {
  const roles = [data, operations, monitoring].flatMap((template) =>
    Object.entries(resourcesOf(template, 'AWS::IAM::Role')),
  );
  expect(roles.length).toBeGreaterThan(20);
  for (const [id, { Properties }] of roles) expect([id, Properties.PermissionsBoundary]).toEqual([id, BOUNDARY]);
});

test('the stacks are deployed by the bootstrap that the qualifier names, with the tags of the settings', () => {
  class AnyStack extends EnvironmentStack {}
  const app = new App();
  new AnyStack(app, 'Any', { config: adoptingEnvironment() });
  const { stacks } = app.synth();
  expect(stacks.map(({ assumeRoleArn }) => assumeRoleArn)).toEqual([
    expect.stringContaining('cdk-billing1-deploy-role-'),
  ]);
  // CloudFormation passes them on to each resource.
  expect(stacks.map(({ tags }) => tags)).toMatchObject([{ 'cost-center': '4711' }]);
  for (const template of [data, operations, monitoring]) {
    expect(template.toJSON()).toMatchObject({
      Parameters: { BootstrapVersion: { Default: '/cdk-bootstrap/billing1/version' } },
    });
  }
});

test('a created network has the range, gateways and endpoints of the settings', () => {
  const { data: own } = templatesOf('own-network');
  expect(resourceLike(own, 'AWS::EC2::VPC', 'Vpc').Properties.CidrBlock).toBe('10.7.32.0/19');
  expect(Object.keys(resourcesOf(own, 'AWS::EC2::NatGateway'))).toHaveLength(2);
  const endpoints = Object.values(resourcesOf(own, 'AWS::EC2::VPCEndpoint'));
  expect(endpoints.map(({ Properties }) => Properties.VpcEndpointType)).toEqual(['Gateway']);
});
