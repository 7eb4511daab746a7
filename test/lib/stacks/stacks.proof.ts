import { createApp } from '../../../lib/app';
import { defineEnvironment } from '../../../lib/config/environment-schema';
import { localEnvironment } from '../../../lib/config/built-environments';
import { EXAMPLES, exampleEnvironment } from '../../support/example-environments';
import { localOptions, resourceLike, resourcesOf, templatesOf } from '../support';
import { stubBundles, synthesise } from '../synthesise';

const environments = [...EXAMPLES.map(exampleEnvironment), localEnvironment(localOptions())];
const assembly = createApp(environments, { bundles: stubBundles() }).synth();
const dependenciesOf = (name: string) =>
  assembly
    .getStackByName(name)
    .dependencies.map(({ id }) => id)
    .filter((id) => /^BillingOps-\w+-\w+$/.test(id))
    .toSorted();

describe.each(environments)('in $name', ({ name, account, region, removalProtection, secondRegion }) => {
  test('dependencies point from Monitoring to Operations to Data, and never back', () => {
    expect(dependenciesOf(`BillingOps-${name}-Data`)).toEqual(secondRegion ? [`BillingOps-${name}-Recovery`] : []);
    expect(dependenciesOf(`BillingOps-${name}-Operations`)).toEqual([`BillingOps-${name}-Data`]);
    expect(dependenciesOf(`BillingOps-${name}-Monitoring`)).toEqual([
      // The name of the bucket whose copies are watched.
      ...(secondRegion ? [`BillingOps-${name}-Data`] : []),
      `BillingOps-${name}-Operations`,
    ]);
  });

  test('every template leaves room below the 1 MB and the 500 resources that CloudFormation takes', () => {
    for (const part of ['Data', 'Operations', 'Monitoring']) {
      const { template } = assembly.getStackByName(`BillingOps-${name}-${part}`) as { template: { Resources: object } };
      expect(Buffer.byteLength(JSON.stringify(template))).toBeLessThan(950_000);
      expect(Object.keys(template.Resources).length).toBeLessThan(480);
    }
  });

  test('Operations and Monitoring export nothing', () => {
    const outputs = (part: string) =>
      Object.values(
        (assembly.getStackByName(`BillingOps-${name}-${part}`).template as { Outputs?: object }).Outputs ?? {},
      );
    for (const output of [...outputs('Operations'), ...outputs('Monitoring')])
      expect(output).not.toHaveProperty('Export');
  });

  test('every stack is pinned to the account and region of the configuration', () => {
    for (const part of ['Data', 'Operations', 'Monitoring']) {
      expect(assembly.getStackByName(`BillingOps-${name}-${part}`).environment).toMatchObject({ account, region });
    }
  });

  test('only the stack that holds data is protected from termination, where the environment says so', () => {
    expect(assembly.getStackByName(`BillingOps-${name}-Data`).terminationProtection ?? false).toBe(removalProtection);
    expect(assembly.getStackByName(`BillingOps-${name}-Operations`).terminationProtection ?? false).toBe(false);
  });

  test('synthesis needed no answer from AWS', () => {
    expect(assembly.manifest.missing ?? []).toEqual([]);
  });
});

describe('an environment with existing databases', () => {
  const existing = (name: string, recoveryPoints: 'here' | 'elsewhere' | 'none' = 'here') =>
    ({
      kind: 'existing',
      host: `${name}.example.com`,
      port: 5432,
      databaseName: name,
      secretArn: `arn:aws:secretsmanager:eu-central-1:111111111111:secret:${name}-AbCdEf`,
      allocatedStorageGiB: 100,
      instanceIdentifier: `old-${name}`,
      recoveryPoints,
      securityGroupId: name === 'billing' ? 'sg-0000000b' : 'sg-0000000a',
    }) as const;
  const environment = (main: 'here' | 'elsewhere' | 'none') =>
    defineEnvironment({
      name: 'dev',
      account: '111111111111',
      region: 'eu-central-1',
      allowedRegions: ['eu-central-1'],
      removalProtection: false,
      logLevel: 'INFO',
      existingNetwork: {
        vpcId: 'vpc-0000000a',
        availabilityZones: ['eu-central-1a', 'eu-central-1b'],
        privateSubnetIds: ['subnet-0000000a', 'subnet-0000000b'],
      },
      databases: { billing: existing('billing'), main: existing('main', main) },
      stripe: { livemode: false },
      runbookUrl: 'https://example.com/runbook',
    });
  const { data, operations } = synthesise(environment('here'));

  test('creates no database and no network', () => {
    for (const type of ['AWS::RDS::DBInstance', 'AWS::EC2::VPC', 'AWS::EC2::SecurityGroup']) {
      expect([type, Object.keys(resourcesOf(data, type))]).toEqual([type, []]);
    }
  });

  test('has AWS Backup take recovery points of the instances, unless others do, or nobody is to', () => {
    const planned = (template: typeof data) => JSON.stringify(resourcesOf(template, 'AWS::Backup::BackupSelection'));
    expect(planned(data)).toMatch(/old-billing.*old-main/);
    expect(Object.keys(resourcesOf(data, 'AWS::Backup::BackupVault'))).toHaveLength(2);
    for (const who of ['elsewhere', 'none'] as const) {
      const other = synthesise(environment(who));
      expect(planned(other.data)).toContain('old-billing');
      expect(planned(other.data)).not.toContain('old-main');
      // A check of what nobody takes would be an alarm that never ends.
      const { Environment } = resourceLike(other.operations, 'AWS::Lambda::Function', 'Backup').Properties;
      expect((Environment as { Variables: object }).Variables).toMatchObject({
        BILLING_FREQUENCY_HOURS: '6',
        MAIN_FREQUENCY_HOURS: who === 'none' ? '0' : '24',
      });
    }
  });

  test('runs the functions in the configured network', () => {
    expect(resourceLike(operations, 'AWS::Lambda::Function', 'Processor').Properties).toMatchObject({
      VpcConfig: { SubnetIds: ['subnet-0000000a', 'subnet-0000000b'] },
    });
  });

  test('admits the functions in the configured security group', () => {
    expect(resourceLike(operations, 'AWS::EC2::SecurityGroupIngress', 'Processor').Properties).toMatchObject({
      GroupId: 'sg-0000000b',
      FromPort: 5432,
    });
  });

  test('measures the disks of the configured instances', () => {
    expect(resourceLike(operations, 'AWS::Lambda::Function', 'Collector').Properties).toMatchObject({
      Environment: { Variables: { BILLING_INSTANCE_IDENTIFIER: 'old-billing', BILLING_ALLOCATED_STORAGE_GIB: '100' } },
    });
  });
});

test('the error about a missing bundle names it', () => {
  const bundles = stubBundles().filter(({ name }) => name !== 'backup');
  expect(() => createApp([localEnvironment(localOptions())], { bundles })).toThrow(
    'No bundle of backup: expected lambdas/backup/handler.ts',
  );
});

test('the same input gives the same templates', () => {
  const again = synthesise(exampleEnvironment('production'));
  const before = templatesOf('production');

  expect(again.operations.toJSON()).toEqual(before.operations.toJSON());
  expect(again.data.toJSON()).toEqual(before.data.toJSON());
});
