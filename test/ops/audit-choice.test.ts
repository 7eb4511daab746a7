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

test('the logs of a database choose by person and table before they cut off what is older', async () => {
  const queryString = SAVED_QUERIES.find(({ title }) => title === QUERIES.reads)?.lines.join('\n');
  const name = `BillingOps/dev/${QUERIES.reads}`;
  logs
    .on(DescribeQueryDefinitionsCommand)
    .resolves({ queryDefinitions: [{ name, queryString, logGroupNames: ['log'] }] });
  logs.on(StartQueryCommand).resolves({ queryId: 'query-1' });
  logs.on(GetQueryResultsCommand).resolves({ status: 'Complete', results: [] });
  await runOps([
    'audit',
    '--source',
    'reads',
    '--who',
    'Ann',
    '--about',
    'billing.customers',
    '--env',
    'dev',
    '--json',
  ]);
  const [call] = logs.commandCalls(StartQueryCommand);
  expect(call?.args[0].input.queryString?.split('\n').slice(-5)).toEqual([
    '| fields @timestamp, user, application, database, command, object, statement',
    '| filter user like /(?i)Ann/',
    String.raw`| filter concat(database, " ", command, " ", coalesce(object, ""), ": ", statement) like /(?i)billing\.customers/`,
    '| sort @timestamp desc',
    '| limit 200',
  ]);
});
