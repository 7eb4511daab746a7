import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { databaseLogFilters } from '../../../lib/config/database-log-metrics';
import { databaseParameters } from '../../../lib/config/database-policies';
import { waitUntil } from '../../../local/pass/check';
import { type Cluster, startCluster } from '../../../local/postgres/cluster';
import { matchesPattern } from './cloudwatch/filter-pattern';
import { PGAUDIT_RECORDS } from './pgaudit-records';

/**
 * The lines of a real server with the settings of the parameter group. It has no pgaudit: it logs the records as they were
 * recorded, under its own prefix.
 */
const USED = ['log_line_prefix', 'log_connections', 'log_disconnections', 'log_parameter_max_length'] as const;
let cluster: Cluster;
let directory: string;

async function start(prefix = databaseParameters('billing').log_line_prefix ?? ''): Promise<void> {
  directory = await mkdtemp(path.join(tmpdir(), 'billing-operations-log-'));
  await chmod(directory, 0o755);
  const parameters: Readonly<Record<string, string>> = { ...databaseParameters('billing'), log_line_prefix: prefix };
  const settings = [...USED.map((name) => `${name}=${parameters[name]}`), 'log_min_duration_statement=200'];
  cluster = await startCluster({ directory, tls: true, durable: false, settings });
  await as({ user: 'postgres' }, async (client) => {
    await client.query(`CREATE ROLE billing_admin LOGIN SUPERUSER PASSWORD '${cluster.password}'`);
    await client.query(`CREATE ROLE reader LOGIN PASSWORD '${cluster.password}'`);
  });
}

async function stop(): Promise<void> {
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
}

beforeAll(() => start());
afterAll(stop);

async function as(
  { user = 'billing_admin', application }: { readonly user?: string; readonly application?: string },
  work: (client: Client) => Promise<unknown>,
): Promise<void> {
  const { host, port, password, caFile = '' } = cluster;
  const ssl = { ca: await readFile(caFile, 'utf8') };
  const client = new Client({ host, port, user, password, database: 'postgres', ssl, application_name: application });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** What is counted in the lines that `work` adds to the log, each line an event, as RDS sends them. */
async function countedDuring(work: () => Promise<void>): Promise<string[]> {
  const before = (await readFile(cluster.logFile, 'utf8')).length;
  await work();
  let added = '';
  await waitUntil(async () => {
    added = (await readFile(cluster.logFile, 'utf8')).slice(before);
    return added.includes('LOG:  disconnection: ') ? undefined : 'the session is not logged as ended';
  }, 10_000);
  return added
    .split('\n')
    .flatMap((event) =>
      databaseLogFilters('billing').flatMap(({ metric, pattern }) => (matchesPattern(pattern, event) ? [metric] : [])),
    );
}

const record = (client: Client, text: string) =>
  client.query(`DO $do$ BEGIN RAISE LOG '%', $text$AUDIT: SESSION,1,1,${text}$text$; END $do$`);
const nothing = async () => undefined;

test.each([
  ['psql', 'billing_admin', ['AdminLoginsByHand']],
  ['psql', 'reader', []],
  ['migrate', 'billing_admin', []],
  ['processor', 'billing_admin', []],
  [undefined, 'billing_admin', []],
] as const)('a login of %s as %s: %j', async (application, user, counted) => {
  expect(await countedDuring(() => as({ user, application }, nothing))).toEqual(counted);
});

test.each([
  ['shop', 'SELECT pg_sleep(0.25)', ['SlowStatements']],
  ['processor', 'SELECT pg_sleep(0.25)\n  /* two lines */', ['SlowStatements']],
  ['backup', 'SELECT pg_sleep(0.25)', []],
  ['shop', `SELECT 'duration: 612 ms  statement: AUDIT: SESSION,1,1,DDL,'`, []],
  ['shop', `SELECT pg_sleep(0.25), ':LOG:  AUDIT: SESSION,1,1,'\n, ',DDL,'`, ['SlowStatements']],
] as const)('%s runs %j: %j', async (application, statement, counted) => {
  const run = (client: Client) => client.query(statement);
  expect(await countedDuring(() => as({ user: 'reader', application }, run))).toEqual(counted);
});

test.each(PGAUDIT_RECORDS)('$text is counted of a person, and not of a function', async ({ text, counted }) => {
  const expected = counted === undefined ? [] : [counted];
  const of = (application?: string) =>
    countedDuring(() => as({ user: 'postgres', application }, (client) => record(client, text)));
  expect(await of('psql')).toEqual(expected);
  expect(await of()).toEqual(expected);
  expect(await of('migrate')).toEqual([]);
  expect(await of('row-recovery')).toEqual([]);
});

/** RDS takes the prefix of the parameter group with and without its last colon, and has another one of its own. */
describe.each([
  ['without the colon at its end', databaseParameters('billing').log_line_prefix?.replace(/:$/, '') ?? '', []],
  // It has no name of the application: functions and people look the same.
  ['of RDS itself', '%t:%r:%u@%d:[%p]:', ['SchemaChangesByHand']],
] as const)('with the prefix %s,', (_, prefix, ofFunction) => {
  beforeAll(async () => {
    await stop();
    await start(prefix);
  });

  test('changes, logins and slow statements of a person are counted', async () => {
    const text = 'DDL,DROP TABLE,,,DROP TABLE a,<not logged>';
    const run = (client: Client) => client.query('SELECT pg_sleep(0.25)');
    const changed = (application: string) =>
      countedDuring(() => as({ user: 'postgres', application }, (client) => record(client, text)));
    expect(await changed('psql')).toEqual(['SchemaChangesByHand']);
    expect(await changed('migrate')).toEqual(ofFunction);
    expect(await countedDuring(() => as({ application: 'psql' }, nothing))).toEqual(['AdminLoginsByHand']);
    expect(await countedDuring(() => as({ user: 'reader', application: 'shop' }, run))).toEqual(['SlowStatements']);
  });
});
