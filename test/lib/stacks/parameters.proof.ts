import { readFileSync } from 'node:fs';
import path from 'node:path';
import { resourcesOf, templatesOf } from '../support';

const PREFIX = /^\/billing-operations\/([^/]+)\//;
const guide = readFileSync(path.resolve(__dirname, '../../../docs/deploy.md'), 'utf8');

/** Parameters of an environment by their path, each with its value. */
function parametersOf(environment: string): Map<string, unknown> {
  const resources = Object.values(templatesOf(environment)).flatMap((template) =>
    template ? Object.values(resourcesOf(template, 'AWS::SSM::Parameter')) : [],
  );
  return new Map(
    resources.map(({ Properties }) => {
      expect(PREFIX.exec(String(Properties.Name))?.[1]).toBe(environment);
      return [String(Properties.Name).replace(PREFIX, ''), Properties.Value];
    }),
  );
}

/** `a/{b,c}` as `a/b` and `a/c`. */
function expand(pattern: string): string[] {
  const group = /\{([^}]*)\}|<[^>]*>/.exec(pattern);
  if (!group) return [pattern];
  const words = group[1]?.split(',') ?? ['billing', 'main'];
  return words.flatMap((word) => expand(pattern.replace(group[0], word)));
}

test('the parameters of production are those that the deployment guide lists, except replicas that it has not', () => {
  const table = guide.slice(guide.indexOf('## What applications read'), guide.indexOf('## Configuration'));
  const listed = [...table.matchAll(/^\| `([^`]+)`/gm)].flatMap(([, pattern = '']) => expand(pattern));
  const found = [...parametersOf('production').keys()];
  expect(found.toSorted()).toEqual(listed.filter((name) => name !== 'databases/main/analytics-host').toSorted());
});

test('an application reaches the proxy where there is one, and the server where there is none', () => {
  const parameters = parametersOf('production');
  expect(JSON.stringify(parameters.get('databases/billing/pooled-host'))).toMatch(
    /"BillingDatabaseProxy\w+","Endpoint"/,
  );
  expect(parameters.get('databases/main/pooled-host')).toEqual(parameters.get('databases/main/host'));
});

test('existing databases are published by the same names', () => {
  expect(Object.fromEntries(parametersOf('local'))).toMatchObject({
    'databases/billing/host': '127.0.0.1',
    'databases/billing/port': '5433',
    'databases/main/name': 'main',
  });
});
