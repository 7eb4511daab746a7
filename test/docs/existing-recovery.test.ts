import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { checkEnvironment } from '../../lib/config/environment-schema';
import { fieldsOf } from '../support/states/simulated-rds';

const guide = readFileSync(path.resolve(__dirname, '../../docs/deploy.md'), 'utf8');
const section = guide.slice(
  guide.indexOf('### Recover an existing instance'),
  guide.indexOf('## Switch parts on and off'),
);
const fenced = (language: string) =>
  new RegExp(`\\n\`\`\`${language}\\n([\\s\\S]*?)\\n\`\`\``).exec(section)?.[1] ?? '';

test('the settings that the guide shows for the recovery of an existing instance are accepted', () => {
  const { main } = parse(fenced('yaml').replaceAll('…', '00000000-0000-0000-0000-000000000000')) as { main: object };
  const existing = (name: string) => ({
    kind: 'existing',
    host: `acme-${name}.example.com`,
    port: 5432,
    databaseName: name,
    secretArn: `arn:aws:secretsmanager:eu-central-1:111111111111:secret:${name}-AbCdEf`,
    allocatedStorageGiB: 20,
  });
  const checked = checkEnvironment({
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
    stripe: { livemode: false },
    runbookUrl: 'https://example.com/runbook',
    databases: {
      billing: existing('billing'),
      main: { ...existing('main'), securityGroupId: 'sg-0000000a', ...main },
    },
  });
  expect('problems' in checked ? checked.problems.map(({ text }) => text) : []).toEqual([]);
  expect(main).toHaveProperty('recovery.parameterGroupName');
});

test('the command of the guide that prints these settings asks for what RDS answers', () => {
  const query = /DBInstances\[0\]\.\{([\s\S]*?)\}'/.exec(fenced('bash'))?.[1] ?? '';
  const asked = [...query.matchAll(/\w+: (\w+)/g)].map(([, name = '']) => name);
  expect(asked.length).toBeGreaterThan(10);
  expect(asked.filter((name) => !fieldsOf('DBInstance').includes(name))).toEqual([]);
});
