import { defineEnvironment, type EnvironmentInput } from '../../../lib/config/environment-schema';
import { exampleEnvironment } from '../../support/example-environments';
import type { Synthesised } from '../support';
import { synthesise, synthesiseWithNotes } from '../synthesise';
import { Deployment, IN_ORDER, type Part } from './deployment';

const example: EnvironmentInput = exampleEnvironment('production');
const { account, region } = example;
/** With every part that may be switched off. */
const everything: EnvironmentInput = {
  ...example,
  domain: {
    name: 'billing.example.com',
    certificateArn: `arn:aws:acm:${region}:${account}:certificate/0f0f0f0f-1111-2222-3333-444444444444`,
    hostedZone: 'external',
  },
  alarmOwners: { data: { critical: ['dba@example.com'] } },
};

type Databases = EnvironmentInput['databases'];
const withBilling = (change: Partial<Databases['billing']>) => ({
  databases: {
    ...everything.databases,
    billing: { ...everything.databases.billing, ...change } as Databases['billing'],
  },
});
const existing = (name: string, host: string) =>
  ({
    kind: 'existing',
    host,
    port: 5432,
    databaseName: name,
    secretArn: `arn:aws:secretsmanager:${region}:${account}:secret:${name}-AbCdEf`,
    allocatedStorageGiB: 100,
    securityGroupId: 'sg-0000000a',
  }) as const;

/** Parts that are switched off together, because a synthesis takes a second; a refusal names the resource. */
const SWITCHES: readonly [string, Partial<EnvironmentInput>][] = [
  [
    'the proxy, the analytics replica and the standby',
    withBilling({ proxy: false, analyticsReplica: false, multiAz: false }),
  ],
  [
    'the firewall, the custom domain and the daily comparison',
    { firewall: false, domain: undefined, reconciliation: { enabled: false } },
  ],
  [
    'endpoints of AWS APIs, two of three gateways and applications that are admitted',
    {
      network: { natGateways: 1, apiEndpoints: false },
      ...withBilling({ admit: { securityGroupIds: ['sg-0000000d'] } }),
    },
  ],
  ['archives of large databases in parts', { largeArchives: { method: 'rds-export' } }],
  [
    'the cache, computed alarms, the topics of a group and the second region',
    { cache: { kind: 'none' }, computedAlarms: false, alarmOwners: {}, secondRegion: undefined },
  ],
];

const { templates: on, notes: notesOfAll } = synthesiseWithNotes(defineEnvironment(everything));
const without = (change: Partial<EnvironmentInput>): Synthesised =>
  synthesise(defineEnvironment({ ...everything, ...change }));

test('the first deployment of everything is refused for nothing', () => {
  expect(new Deployment().deploy(on)).toEqual([]);
});

test.each(SWITCHES)('%s can be switched off and on again by cdk deploy --all', (_, change) => {
  const off = without(change);
  const deployment = new Deployment();
  expect([deployment.deploy(on), deployment.deploy(off), deployment.deploy(on)]).toEqual([[], [], []]);
  const switchedOn = new Deployment();
  expect([switchedOn.deploy(off), switchedOn.deploy(on), switchedOn.deploy(off)]).toEqual([[], [], []]);
});

describe('databases that are created', () => {
  const network = {
    existingNetwork: {
      vpcId: 'vpc-0000000a',
      availabilityZones: [`${region}a`, `${region}b`],
      privateSubnetIds: ['subnet-0000000a', 'subnet-0000000b'],
    },
  };
  const { templates: both, notes } = synthesiseWithNotes(
    defineEnvironment({
      ...everything,
      ...network,
      network: undefined,
      databases: { billing: existing('billing', 'db.example.com'), main: existing('main', 'db.example.com') },
    }),
  );
  const operationsFirst: readonly Part[] = ['operations', 'monitoring', 'recovery', 'data'];

  test('give way to existing ones, consumers first, because CloudFormation refuses the usual order', () => {
    const usual = new Deployment();
    usual.deploy(on);
    expect(usual.deploy(both)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^data: .* in use by operations$/)]),
    );

    const deployment = new Deployment();
    deployment.deploy(on);
    expect(deployment.deploy(both, operationsFirst)).toEqual([]);
  });

  test('leave what they consist of, which has to be imported when they come back', () => {
    const deployment = new Deployment();
    deployment.deploy(on);
    deployment.deploy(both, operationsFirst);
    expect(deployment.deploy(on, IN_ORDER)).toEqual(
      expect.arrayContaining(['data: AWS::RDS::DBInstance "billing-operations-production-billing" already exists']),
    );
  });

  test('are archived, however large, and existing ones only as far as synthesis says', () => {
    const ofArchives = (all: readonly unknown[]) => all.filter((note) => String(note).includes('archived'));
    expect(ofArchives(notesOfAll)).toEqual([]);
    expect(ofArchives(notes)).toEqual([
      expect.stringMatching(/^Once billing has more than 40 GiB, it is not archived/),
      expect.stringMatching(/^Once main has more than 40 GiB, it is not archived/),
    ]);
  });

  test('take the place of existing ones', () => {
    const deployment = new Deployment();
    expect([deployment.deploy(both), deployment.deploy(on)]).toEqual([[], []]);
  });
});

test('a large database is exported by RDS where archives in parts are switched off', () => {
  const { operations, monitoring } = without({ largeArchives: { method: 'rds-export' } });
  const text = JSON.stringify([operations.toJSON(), monitoring.toJSON()]);
  expect(JSON.stringify(on.operations.toJSON())).toContain('BillingOps-production-archive-main');
  expect(text).not.toMatch(/-archive-(main|billing)/);
  expect(text).toContain('"MAIN_ARCHIVE_WORKFLOW_ARN":""');
  expect(text).toContain('rds:StartExportTask');
});
