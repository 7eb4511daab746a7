import type { ResultField } from '@aws-sdk/client-cloudwatch-logs';
import { DATABASE_NAMES } from '../core/contract';
import { askApi, askObjects, MOST_LINES, readRow, runQuery } from './audit-access-logs';
import type { Answered, AuditEntry, AuditSource, Choice, Span } from './audit-entry';
import type { Context } from './context';
import { CommandError, explain, NotOnLocalPlatform } from './errors';
import { inspect } from './inspect';

/** Most that the functions list in one answer: their contracts. */
const MOST_ACTIONS = 200;
const MOST_RECORDS = 500;
/** Titles of the saved queries (`lib/config/saved-queries.ts`) that are asked. */
export const QUERIES = {
  logins: 'Who logged in to the database',
  statements: 'Who changed what in the database',
  reads: 'Who read what in the database',
} as const;

const DAY_MS = 86_400_000;

/** Asks one source. @throws CommandError why it does not answer */
export async function ask(context: Context, source: AuditSource, span: Span, choice: Choice = {}): Promise<Answered> {
  switch (source) {
    case 'operations':
      return askOperations(context, span);
    case 'records':
      return askRecords(context, span);
    case 'secrets':
      return askSecrets(context);
    case 'api':
      return askApi(context, span);
    case 'objects':
      return askObjects(context, span);
    default:
      return askLogs(context, source, span, choice);
  }
}

/** Commands of `ops` that change something, and what the API changed. */
async function askOperations({ invoke }: Context, { since, until }: Span): Promise<Answered> {
  const { contract } = await import('../lambdas/audit/contract');
  const days = Math.ceil((Date.parse(until) - Date.parse(since)) / DAY_MS) + 1;
  const report = await invoke('audit', contract, { action: 'list', days, until, limit: MOST_ACTIONS });
  if (report.action !== 'list') throw new Error('The audit function answered another request');
  return {
    entries: report.actions.map(({ begunAt, who, command, result, message }) => ({
      at: begunAt,
      source: 'operations',
      who: who.startsWith('arn:') ? who.split(':').slice(4).join(':') : who,
      what: [command, result ?? 'not recorded how it ended', ...(message === null ? [] : [message])].join('  '),
      about: null,
    })),
    more: report.actions.length === MOST_ACTIONS,
  };
}

/** What the tables of the databases record: keys of the API, owners, erasures, payouts, accepted payments, migrations, merged rows. */
async function askRecords(context: Context, span: Span): Promise<Answered> {
  const answers = await Promise.all(
    DATABASE_NAMES.map((database) => inspect(context, 'records', { database, ...span, limit: MOST_RECORDS })),
  );
  return {
    entries: answers.flatMap(({ database, records }) =>
      records.map(({ at, kind, who, what, about }) => ({
        at,
        source: 'records' as const,
        who,
        what: kind === 'migrations' || kind === 'rows' ? `${what} in ${database}` : what,
        about,
      })),
    ),
    more: answers.some(({ records }) => records.length === MOST_RECORDS),
  };
}

/** The last change of each password and key. */
async function askSecrets(context: Context): Promise<Answered> {
  const { secrets, problems } = await inspect(context, 'status', {});
  return {
    entries: secrets.flatMap(({ secret, changedAt }) =>
      changedAt === null
        ? []
        : [
            {
              at: changedAt,
              source: 'secrets' as const,
              who: null,
              what: 'was changed, for the last time so far',
              about: secret,
            },
          ],
    ),
    more: false,
    notAsked: secrets
      .filter(({ changedAt }) => changedAt === null)
      .map(({ secret }) => problems.find((each) => each.startsWith(`secret ${secret}: `)) ?? `secret ${secret}`),
  };
}

/** Runs a saved query over the logs of the databases: logins of people, or what pgaudit recorded. */
async function askLogs(context: Context, source: keyof typeof QUERIES, span: Span, choice: Choice): Promise<Answered> {
  const { clients, target, signal } = context;
  if (target.platform !== undefined) {
    throw new NotOnLocalPlatform('logs of its databases');
  }
  const { DescribeQueryDefinitionsCommand } = await import('@aws-sdk/client-cloudwatch-logs');
  const name = `BillingOps/${target.environment}/${QUERIES[source]}`;
  try {
    const client = await clients.cloudWatchLogs();
    const { queryDefinitions = [] } = await client.send(
      new DescribeQueryDefinitionsCommand({ queryDefinitionNamePrefix: name }),
    );
    const saved = queryDefinitions.find((each) => each.name === name);
    if (saved === undefined) {
      throw new CommandError(
        'failed',
        `there is no saved query "${name}": deploy with savedQueries, or the databases exist already and log elsewhere`,
      );
    }
    const { queryString, logGroupNames = [] } = saved;
    const chosen = { logGroupNames, queryString: choosing(source, queryString, choice) };
    const results = await runQuery(client, chosen, span, signal);
    return {
      entries: results.map((row) => entryOf(source, row)),
      more: results.length >= MOST_LINES,
      notAsked: unaskedDatabases(logGroupNames),
    };
  } catch (cause) {
    throw explain(cause, `run the saved query "${name}"`, target.label);
  }
}

/** The databases of whose instance the stacks know no log: those that existed before. */
const unaskedDatabases = (logGroupNames: readonly string[]): string[] =>
  DATABASE_NAMES.filter((database) => !logGroupNames.some((name) => name.endsWith(`-${database}/postgresql`))).map(
    (database) => `${database} existed before and logs where its own parameter group says`,
  );

/** What {@link SAID} and the database say, as an expression of Logs Insights. */
const TOLD: Readonly<Record<keyof typeof QUERIES, string>> = {
  logins: 'concat(database, " logged in from ", address)',
  statements: 'concat(database, " ", class, " ", command, ": ", statement)',
  reads: 'concat(database, " ", command, " ", coalesce(object, ""), ": ", statement)',
};

/** Has a query choose before it sorts and cuts off what is older than its newest lines. */
function choosing(source: keyof typeof QUERIES, query: string | undefined, { who, about }: Choice): string | undefined {
  const filter = (expression: string, part: string | undefined) =>
    part === undefined
      ? ''
      : `| filter ${expression} like /(?i)${part.replaceAll(/[!-/:-@[-^`{-~]/g, String.raw`\$&`)}/\n`;
  return query?.replace(/^\| sort /m, (sort) => `${filter('user', who)}${filter(TOLD[source], about)}${sort}`);
}

/** What a row of each query says. */
const SAID: Readonly<Record<keyof typeof QUERIES, (of: (field: string) => string) => string>> = {
  logins: (of) => `logged in from ${of('address')}`,
  statements: (of) => `${of('class')} ${of('command')}: ${of('statement')}`,
  // A statement without tables, or a server that may not name them, has none.
  reads: (of) => `${[of('command'), of('object')].filter(Boolean).join(' ')}: ${of('statement')}`,
};

function entryOf(source: keyof typeof QUERIES, row: readonly ResultField[]): AuditEntry {
  const { at, of } = readRow(row);
  return { at, source, who: of('user') || null, what: SAID[source](of), about: of('database') || null };
}
