import { defineEnvironment, type EnvironmentInput } from '../../../lib/config/environment-schema';
import { exampleEnvironment } from '../../support/example-environments';
import { resourcesOf, templatesOf, type Synthesised } from '../support';
import { synthesise } from '../synthesise';

const FIRST = 'eu-central-1';
const SECOND = 'eu-west-1';
/** Properties that are names in the whole account or the whole of AWS, not in one region. */
const GLOBAL_NAMES: Readonly<Record<string, string>> = {
  'AWS::IAM::Role': 'RoleName',
  'AWS::IAM::ManagedPolicy': 'ManagedPolicyName',
  'AWS::IAM::User': 'UserName',
  'AWS::S3::Bucket': 'BucketName',
};

/** The settings of production for the second region, as docs/region-loss.md says. */
function successor(): Synthesised {
  const { secondRegion: _, ...production } = exampleEnvironment('production') as EnvironmentInput;
  return synthesise(
    defineEnvironment({
      ...production,
      name: 'prod2',
      region: SECOND,
      availabilityZones: ['a', 'b', 'c'].map((zone) => SECOND + zone),
      // What is allowed is said to the functions; the lost region is not needed.
      allowedRegions: [SECOND, 'eu-north-1'],
    }),
  );
}

const there = successor();
const stacks = [there.data, there.operations, there.monitoring];

const globalNames = (templates: readonly Synthesised['data'][]): string[] =>
  templates.flatMap((template) =>
    Object.values(resourcesOf(template)).flatMap(({ Type, Properties }) => {
      const name = Properties?.[GLOBAL_NAMES[Type] ?? ''];
      return name === undefined ? [] : [`${Type} ${JSON.stringify(name)}`];
    }),
  );

test.each(['data', 'operations', 'monitoring'] as const)(
  'the stack %s of the environment that takes over names nothing of the first region, nor the environment that is lost',
  (part) => {
    const text = JSON.stringify(there[part].toJSON());
    expect(text).toContain('prod2');
    for (const lost of [
      FIRST,
      'BillingOps-production',
      'billing-ops-production',
      'billing-operations-production',
      'operations/production',
    ]) {
      expect([lost, text.includes(lost)]).toEqual([lost, false]);
    }
  },
);

test('it imports nothing that only a stack of the first region exports', () => {
  const imports = stacks.flatMap((template) =>
    [...JSON.stringify(template.toJSON()).matchAll(/"Fn::ImportValue":"([^"]+)"/g)].map(([, name]) => name),
  );
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.filter((name) => !name?.startsWith('BillingOps-prod2-'))).toEqual([]);
});

test('it takes no name that what remains of the lost environment has in the account', () => {
  const { data, operations, monitoring, recovery } = templatesOf('production');
  const lost = globalNames([data, operations, monitoring, ...(recovery ? [recovery] : [])]);
  expect(lost.length).toBeGreaterThan(0);
  expect(globalNames(stacks).filter((name) => lost.includes(name))).toEqual([]);
});
