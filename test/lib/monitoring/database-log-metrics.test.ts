import { readFileSync } from 'node:fs';
import path from 'node:path';
import { databaseLogFilters, PLATFORM_APPLICATIONS } from '../../../lib/config/database-log-metrics';
import { SAVED_QUERIES } from '../../../lib/config/saved-queries';
import { ALL_FUNCTIONS, resourcesOf, templatesOf } from '../support';
import { matchesPattern } from './cloudwatch/filter-pattern';
import { audited, databaseLogLine as line } from './database-log-lines';
import { PGAUDIT_RECORDS } from './pgaudit-records';

const counting = (event: string, database: 'billing' | 'main' = 'billing') => [
  ...new Set(
    databaseLogFilters(database).flatMap(({ metric, pattern }) => (matchesPattern(pattern, event) ? [metric] : [])),
  ),
];

describe('the evaluator of patterns does as the guide of CloudWatch Logs says:', () => {
  test.each([
    ['ERROR', '[ERROR 400] BAD REQUEST', true],
    ['ERROR', '[error 400] BAD REQUEST', false],
    ['ERROR ARGUMENTS', '[ERROR 419] MISSING ARGUMENTS', true],
    ['ERROR ARGUMENTS', '[ERROR 401] UNAUTHORIZED REQUEST', false],
    ['?ERROR ?ARGUMENTS', '[ERROR 401] UNAUTHORIZED REQUEST', true],
    ['?ERROR ?ARGUMENTS', '[INFO] REQUEST FAILED', false],
    ['?ERROR ?ARGUMENTS REQUEST', '[INFO] REQUEST FAILED', true],
    ['"INTERNAL SERVER ERROR"', '[ERROR 500] INTERNAL SERVER ERROR', true],
    ['ERROR -ARGUMENTS', '[ERROR 400] BAD REQUEST', true],
    ['ERROR -ARGUMENTS', '[ERROR 419] MISSING ARGUMENTS', false],
    ['%AUTHORIZED%', '[ERROR 401] UNAUTHORIZED REQUEST', true],
    [String.raw`%10\.10\.0\.1%`, '10010,051', false],
  ])('%s of "%s": %s', (pattern, event, matches) => {
    expect(matchesPattern(pattern, event)).toBe(matches);
  });

  test.each(['%something!%', '%(a|b)%', '{ $.level = "x" }'])('%s is refused', (pattern) => {
    expect(() => matchesPattern(pattern, 'something')).toThrow('Not a');
  });
});

describe.each(PGAUDIT_RECORDS)('"$text"', ({ text, counted }) => {
  test('of a person is counted once, or not at all', () => {
    for (const application of ['psql', 'DBeaver 24 - Main', '[unknown]']) {
      expect(counting(audited(application, text))).toEqual(counted === undefined ? [] : [counted]);
    }
  });

  test("of any function, or of RDS's own user, is not counted", () => {
    for (const application of PLATFORM_APPLICATIONS) expect(counting(audited(application, text))).toEqual([]);
    expect(counting(audited('[unknown]', text, 'rdsadmin'))).toEqual([]);
  });
});

test.each(PGAUDIT_RECORDS)(
  '"$text" is counted alike without the colon at the end of the prefix',
  ({ text, counted }) => {
    const bare = (application: string) =>
      audited(application, text).replace(`:${application}:LOG:`, `:${application}LOG:`);
    expect(counting(bare('psql'))).toEqual(counted === undefined ? [] : [counted]);
    for (const application of PLATFORM_APPLICATIONS) expect(counting(bare(application))).toEqual([]);
  },
);

test('slow statements are counted, but not those of work on whole tables', () => {
  const slow = 'duration: 612.304 ms  execute <unnamed>: SELECT 1';
  expect(counting(line('processor', slow))).toEqual(['SlowStatements']);
  expect(counting(line('[unknown]', slow), 'main')).toEqual(['SlowStatements']);
  expect(counting(line('backup', slow))).toEqual([]);
});

test('logins of the administrator are counted, unless a function or no application is named', () => {
  const login = (application: string, user = 'billing_admin') =>
    line(
      '[unknown]',
      `connection authorized: user=${user} database=billing${application} SSL enabled (protocol=TLSv1.3)`,
    );
  expect(counting(login(' application_name=psql'))).toEqual(['AdminLoginsByHand']);
  // A name that begins as that of a function.
  expect(counting(login(' application_name=api-debugger'))).toEqual(['AdminLoginsByHand']);
  expect(counting(login(''))).toEqual([]);
  expect(counting(login(' application_name=psql', 'billing_administration'))).toEqual([]);
  for (const application of PLATFORM_APPLICATIONS) {
    expect(counting(login(` application_name=${application}`))).toEqual([]);
  }
});

test('the applications are those of the functions that connect', () => {
  const handler = (stem: string) => readFileSync(path.join(__dirname, '../../../lambdas', stem, 'handler.ts'), 'utf8');
  const connecting = ALL_FUNCTIONS.filter((stem) => /create(?:Connector|StripeFunction)\(/.test(handler(stem)));
  expect([...PLATFORM_APPLICATIONS].toSorted()).toEqual(connecting);
  for (const stem of connecting) expect(handler(stem)).toMatch(new RegExp(`create\\w+\\([^;]*?'${stem}'`));
});

test.each([
  ['production', ['billing', 'main']],
  ['local', []],
] as const)('in %s the logs of the databases that the stacks make are counted: %j', (environment, databases) => {
  const filters = Object.values(resourcesOf(templatesOf(environment).monitoring, 'AWS::Logs::MetricFilter'));
  const found = filters.map(({ Properties }) => [Properties.LogGroupName, Properties.FilterPattern]);
  expect(found).toEqual(
    databases.flatMap((database) =>
      databaseLogFilters(database).map(({ pattern }) => [
        `/aws/rds/instance/billing-operations-${environment}-${database}/postgresql`,
        pattern,
      ]),
    ),
  );
});

test('the patterns are as CloudWatch takes them: at most 1,024 characters, and no regular expression', () => {
  const patterns = [...databaseLogFilters('billing'), ...databaseLogFilters('main')].map(({ pattern }) => pattern);
  for (const pattern of patterns) {
    expect(pattern.length).toBeLessThanOrEqual(1024);
    expect(pattern).not.toContain('%');
  }
});

test('the saved query reads who, what and how from a record', () => {
  const { lines } = SAVED_QUERIES.find(({ id }) => id === 'DatabaseChanges') ?? { lines: [] };
  const [, expression = ''] = /parse @message \/(.*)\/$/.exec(lines[1] ?? '') ?? [];
  const event = audited('psql', 'ROLE,GRANT,,,GRANT SELECT ON a TO someone;,<not logged>');
  for (const one of [event, event.replace(':psql:LOG:', ':psqlLOG:')]) {
    expect({ ...new RegExp(expression).exec(one)?.groups }).toEqual({
      user: 'billing_admin',
      database: 'billing',
      application: 'psql',
      class: 'ROLE',
      command: 'GRANT',
      statement: 'GRANT SELECT ON a TO someone;,<not logged>',
    });
  }
});
