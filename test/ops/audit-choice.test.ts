import {
  CloudWatchLogsClient,
  DescribeQueryDefinitionsCommand,
  GetQueryResultsCommand,
  StartQueryCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { mockClient } from 'aws-sdk-client-mock';
import { SAVED_QUERIES } from '../../lib/config/saved-queries';
import { QUERIES } from '../../ops/audit-sources';
import { runOps } from './run-ops';

const logs = mockClient(CloudWatchLogsClient);

test.each([
  ['logins', String.raw`concat(database, " logged in from ", address)`],
  ['statements', String.raw`concat(database, " ", class, " ", command, ": ", statement)`],
  ['reads', String.raw`concat(database, " ", command, " ", coalesce(object, ""), ": ", statement)`],
] as const)(
  'the logs of a database choose by person and table before they cut off what is older: %s',
  async (source, told) => {
    logs.reset();
    const lines = SAVED_QUERIES.find(({ title }) => title === QUERIES[source])?.lines ?? [];
    const name = `BillingOps/dev/${QUERIES[source]}`;
    logs
      .on(DescribeQueryDefinitionsCommand)
      .resolves({ queryDefinitions: [{ name, queryString: lines.join('\n'), logGroupNames: ['log'] }] });
    logs.on(StartQueryCommand).resolves({ queryId: 'query-1' });
    logs.on(GetQueryResultsCommand).resolves({ status: 'Complete', results: [] });
    const choice = ['--who', 'Ann', '--about', 'billing.customers'];
    await runOps(['audit', '--source', source, ...choice, '--env', 'dev', '--json']);
    const [call] = logs.commandCalls(StartQueryCommand);
    const [sort = '', limit = ''] = lines.slice(-2);
    expect(call?.args[0].input.queryString?.split('\n')).toEqual([
      ...lines.slice(0, -2),
      '| filter user like /(?i)Ann/',
      String.raw`| filter ${told} like /(?i)billing\.customers/`,
      sort,
      limit,
    ]);
    // What they choose by has to be a field of the rows.
    for (const [field = ''] of told.replaceAll(/"[^"]*"/g, '').matchAll(/\b(?!concat|coalesce)[a-z]+/g)) {
      expect(lines.at(-3)).toMatch(new RegExp(`[ ,]${field}(,|$)`));
    }
  },
);
