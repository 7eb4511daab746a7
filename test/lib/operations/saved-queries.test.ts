import { SAVED_QUERIES } from '../../../lib/config/saved-queries';
import { FUNCTIONS, resourcesOf, templatesOf } from '../support';

const queries = Object.values(resourcesOf(templatesOf('production').operations, 'AWS::Logs::QueryDefinition'));

const DATABASE_LOGS = ['billing', 'billing-analytics', 'main', 'main-analytics'].map(
  (name) => `/aws/rds/instance/billing-operations-production-${name}/postgresql`,
);

/** What stands in the lines of our functions: of the logger, and of what they say about events and actions. */
const WRITTEN = [
  'service',
  'level',
  'message',
  'requestId',
  'xray_trace_id',
  'eventId',
  'reason',
  'code',
  'who',
  'command',
  'id',
];
/** Of the line that Lambda writes about each request, in its JSON format. */
const REPORTED = ['type', ...['status', 'metrics'].map((name) => `record.${name}`)];
const MEASURED = ['durationMs', 'maxMemoryUsedMB', 'memorySizeMB', 'initDurationMs'].map(
  (name) => `record.metrics.${name}`,
);
/** The language itself. */
const WORDS =
  'fields filter stats sort limit by as asc desc and or in like count max pct latest ispresent parse not'.split(' ');

test('each question is saved once for an environment, over the logs of all functions, or of both databases and their replicas', () => {
  expect(queries.map(({ Properties }) => Properties.Name)).toEqual(
    SAVED_QUERIES.map(({ title }) => `BillingOps/production/${title}`),
  );
  for (const [index, { Properties }] of queries.entries()) {
    const names = Properties.LogGroupNames as unknown[];
    expect(SAVED_QUERIES[index]?.over === 'functions' ? names.length : names).toEqual(
      SAVED_QUERIES[index]?.over === 'functions' ? FUNCTIONS.length : DATABASE_LOGS,
    );
  }
});

test.each(SAVED_QUERIES)('"$title" asks for fields that the logs have', ({ lines }) => {
  const query = lines.filter((line) => !line.startsWith('#')).join('\n');
  const named = [...query.matchAll(/ as (\w+)|\(\?<(\w+)>/g)].map(([, name, parsed]) => name ?? parsed);
  // The expression names fields, and reads what PostgreSQL writes.
  const text = query.replaceAll(/\/.*\/$/gm, '');
  const fields = [...text.replaceAll(/'[^']*'|"[^"]*"/g, '').matchAll(/(?<![\w@.])[a-zA-Z_][\w.]*/g)].map(
    ([field]) => field,
  );
  const known = new Set<string | undefined>([...WRITTEN, ...REPORTED, ...MEASURED, ...WORDS, ...named]);
  expect(fields.length).toBeGreaterThan(3);
  expect(fields.filter((field) => !known.has(field))).toEqual([]);
});

test('a login of a person is found in the line that PostgreSQL writes, with the address that it came from', () => {
  const [, expression = ''] =
    /\/(.+)\/$/m.exec(SAVED_QUERIES.find(({ id }) => id === 'DatabaseLogins')?.lines.join('\n') ?? '') ?? [];
  const line =
    '2026-11-29 10:20:30.123 UTC:10.40.96.17(51234):ann@billing:[4711]:3:00000:2026-11-29 10:20:30 UTC:5/12:0:692ac1fe.1267:[unknown]:LOG:  connection authorized: user=ann database=billing application_name=psql SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)';
  expect(new RegExp(expression).exec(line)?.groups).toEqual({
    address: '10.40.96.17',
    user: 'ann',
    database: 'billing',
  });
  expect(new RegExp(expression).exec(line.replace('authorized', 'received'))).toBeNull();
});

test('the queries are as CloudWatch takes them: at most 10,000 characters, over at most 50 log groups', () => {
  for (const { Properties } of queries) {
    expect(String(Properties.QueryString).length).toBeLessThan(10_000);
    expect((Properties.LogGroupNames as unknown[]).length).toBeLessThanOrEqual(50);
  }
});
