import path from 'node:path';
import { environmentFiles, readEnvironment } from '../../lib/config/environment-files';
import { bitcoin } from '../../lib/config/bitcoin-settings';
import { defineEnvironment, type EnvironmentConfig, type EnvironmentInput } from '../../lib/config/environment-schema';

/**
 * The environments that tests are about: those that an adopter copies, never the adopter's own, so that what is in
 * `environments/` fails no test.
 */
export const EXAMPLES = ['dev', 'staging', 'production'] as const;
export type ExampleName = (typeof EXAMPLES)[number];

/** Folder of the examples. */
export const EXAMPLE_FOLDER = path.resolve(__dirname, '../../examples');

const known = new Map<string, EnvironmentConfig>();

/**
 * The checked settings of an example.
 *
 * @throws Error when there is no such example, or its file is wrong
 */
export function exampleEnvironment(name: string): EnvironmentConfig {
  const file = environmentFiles(EXAMPLE_FOLDER).find((each) => each.name === name);
  if (!file) throw new Error(`examples/ has no environment ${name}`);
  const config = known.get(name) ?? readEnvironment(file);
  known.set(name, config);
  return config;
}

/** The settings of payments in bitcoin that tests use: a node that speaks TLS at an address of the network. */
export const BITCOIN = {
  network: 'mainnet',
  nodeUrl: 'https://node.example.com:8332',
  nodeCidrs: ['10.40.7.8/32'],
  secretArn: 'arn:aws:secretsmanager:eu-central-1:333333333333:secret:bitcoin-node-AbCdEf',
} as const;

/** The example `production`, which takes bitcoin as well. */
export function bitcoinEnvironment(): EnvironmentConfig {
  return { ...exampleEnvironment('production'), bitcoin: bitcoin.parse(BITCOIN) };
}

/** Production, whose billing database moves to another server. */
export function movingEnvironment(): EnvironmentConfig {
  const production = exampleEnvironment('production');
  const { billing, main } = production.databases;
  const move = {
    host: 'new.example.com',
    port: 5432,
    databaseName: 'billing',
    secretArn: 'arn:aws:secretsmanager:eu-central-1:333333333333:secret:new-billing-AbCdEf',
    secretKeyArn: 'arn:aws:kms:eu-central-1:333333333333:key/0f8e9c2a-0000-4000-8000-000000000001',
    securityGroupId: 'sg-0123456789abcdef0',
  };
  return { ...production, databases: { billing: { ...billing, move, logins: 'least' }, main } };
}

const ADMITTED = { securityGroupIds: ['sg-0000000d'], cidrs: ['10.99.0.0/16'] };
/** The permissions boundary of {@link adoptingEnvironment}. */
export const BOUNDARY = 'arn:aws:iam::111111111111:policy/boundary';

/** An environment as a platform team has it: in a network of theirs, with tags and a boundary. */
export function adoptingEnvironment(): EnvironmentConfig {
  const { availabilityZones: _, ...dev } = exampleEnvironment('dev') as EnvironmentInput;
  const created = dev.databases.billing as Extract<EnvironmentInput['databases']['billing'], { kind: 'create' }>;
  return defineEnvironment({
    ...dev,
    network: undefined,
    tags: { 'cost-center': '4711' },
    permissionsBoundaryArn: BOUNDARY,
    bootstrapQualifier: 'billing1',
    existingNetwork: {
      vpcId: 'vpc-0000000a',
      availabilityZones: ['eu-central-1a', 'eu-central-1b'],
      privateSubnetIds: ['subnet-0000000a', 'subnet-0000000b'],
      databaseSubnetIds: ['subnet-0000000c', 'subnet-0000000d'],
      apiSecurityGroupId: 'sg-0000000e',
    },
    databases: {
      billing: { ...created, analyticsReplica: true, admit: ADMITTED, admitToReplica: { cidrs: ['10.98.0.0/16'] } },
      main: dev.databases.main,
    },
  });
}

/** The example `dev` in a network of its own settings. */
export function ownNetworkEnvironment(): EnvironmentConfig {
  return defineEnvironment({
    ...exampleEnvironment('dev'),
    network: { cidr: '10.7.32.0/19', natGateways: 2, apiEndpoints: false },
  });
}
