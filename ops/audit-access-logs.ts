import type { CloudWatchLogsClient, ResultField } from '@aws-sdk/client-cloudwatch-logs';
import { setTimeout as sleep } from 'node:timers/promises';
import { functionName } from '../core/contract';
import { WEBHOOK_ENDPOINTS } from '../core/providers/contract';
import { COPIES_STACK } from '../core/residency/contract';
import { listResources } from '../core/stacks/resources';
import type { CollectorEnvironment } from '../lambdas/collector/contract';
import type { Answered, AuditEntry, Span } from './audit-entry';
import type { Context } from './context';
import { configurationOf } from './discover';
import { CommandError, explain, NotOnLocalPlatform } from './errors';
import { counted } from './print/units';

const POLL_MS = 1_000;
/** Logs Insights scans a week of a busy log in seconds; a year may take minutes. */
const QUERY_LIMIT_MS = 5 * 60_000;
/** Most that a query lists. */
export const MOST_LINES = 200;
/** Files of the access log of S3 that are read at most, the newest: S3 writes some hundred a day. */
const MOST_FILES = 2_000;
const CONCURRENCY = 10;
/** S3 delivers most lines within hours, under the time at which it wrote the file. */
const DELIVERY_MS = 24 * 3_600_000;
/** Logical ids, as they begin, of the access log of the API and of the bucket with that of the archives. */
export const ACCESS_LOGS = { api: 'HttpApiAccessLog', objects: 'ArchivesAccessLogs' } as const;
/** Where the bucket of archives writes its access log. */
const PREFIX = 'archives/';
/** Requests of payment providers are events: the ledger has them. */
const LEFT_OUT = Object.values(WEBHOOK_ENDPOINTS).map((endpoint) => JSON.stringify(endpoint.path));
const API_QUERY = [
  'fields @timestamp, ip, httpMethod, resourcePath, status, requestId',
  `filter resourcePath not in [${LEFT_OUT.join(', ')}]`,
  'sort @timestamp desc',
  `limit ${MOST_LINES}`,
].join('\n| ');

/** Runs a query of Logs Insights. @throws CommandError when it fails, or takes longer than five minutes */
export async function runQuery(
  client: CloudWatchLogsClient,
  { logGroupNames, queryString }: { readonly logGroupNames: string[]; readonly queryString: string | undefined },
  { since, until }: Span,
  signal: AbortSignal,
): Promise<ResultField[][]> {
  const { GetQueryResultsCommand, StartQueryCommand } = await import('@aws-sdk/client-cloudwatch-logs');
  // Whole seconds: entries outside of the span are dropped afterwards.
  const [startTime, endTime] = [Math.floor(Date.parse(since) / 1000), Math.ceil(Date.parse(until) / 1000)];
  const { queryId } = await client.send(new StartQueryCommand({ logGroupNames, queryString, startTime, endTime }));
  for (let waited = 0; waited < QUERY_LIMIT_MS; waited += POLL_MS) {
    const { status, results = [] } = await client.send(new GetQueryResultsCommand({ queryId }));
    if (status === 'Complete') return results;
    if (status !== 'Scheduled' && status !== 'Running') throw new CommandError('failed', `the query ended ${status}`);
    await sleep(POLL_MS, undefined, { signal });
  }
  throw new CommandError('failed', 'the query took longer than five minutes: name a shorter time');
}

/** The fields of a row, and its time: Logs Insights writes 2026-11-29 10:20:30.123, in UTC. */
export function readRow(row: readonly ResultField[]): { readonly at: string; readonly of: (field: string) => string } {
  const fields = new Map(row.map(({ field = '', value = '' }) => [field, value]));
  const of = (field: string) => fields.get(field) ?? '';
  return { at: new Date(`${of('@timestamp').replace(' ', 'T')}Z`).toISOString(), of };
}

/** Requests to the API and the Stability page, by the access log of API Gateway. */
export async function askApi(context: Context, span: Span): Promise<Answered> {
  const { clients, target, signal } = context;
  assertAws(context);
  try {
    const group = await resourceOf(context, 'Operations', 'AWS::Logs::LogGroup', ACCESS_LOGS.api);
    const query = { logGroupNames: [group], queryString: API_QUERY };
    const rows = await runQuery(await clients.cloudWatchLogs(), query, span, signal);
    const entries = rows.map((row): AuditEntry => {
      const { at, of } = readRow(row);
      const what = `${of('httpMethod')} ${of('resourcePath')} was answered ${of('status')}`;
      return { at, source: 'api', who: of('ip') || null, what, about: of('requestId') || null };
    });
    return { entries, more: rows.length >= MOST_LINES };
  } catch (cause) {
    throw explain(cause, 'read the access log of the API', target.label);
  }
}

/** The access log of one bucket with archives. */
interface ObjectLog {
  /** Bucket with the files. */
  readonly bucket: string;
  /** Region of the copies; undefined of the archives themselves. */
  readonly copiesIn?: string;
}

/** Requests to the bucket of archives, and to that of their copies, that no function of the environment made, by the access logs of S3. */
export async function askObjects(context: Context, span: Span): Promise<Answered> {
  assertAws(context);
  const { target, signal } = context;
  const answers: Answered[] = [];
  const failures: string[] = [];
  const read = async (log: string, look: () => Promise<Answered | undefined>): Promise<void> => {
    try {
      const answer = await look();
      if (answer) answers.push(answer);
    } catch (cause) {
      signal.throwIfAborted();
      failures.push(explain(cause, `read the access log of ${log}`, target.label).message);
    }
  };
  await read('the archives', async () => {
    const bucket = await resourceOf(context, 'Data', 'AWS::S3::Bucket', ACCESS_LOGS.objects);
    return readObjectLog(context, { bucket }, span);
  });
  await read('the copies in the second region', async () => {
    const { variables } = await configurationOf<CollectorEnvironment>(context, 'collector');
    const { COPY_REGION: region = '' } = variables;
    if (region === '') return undefined;
    // The stack of the second region has a bucket of its own for the access log of the copies.
    const bucket = await resourceOf(context, COPIES_STACK, 'AWS::S3::Bucket', ACCESS_LOGS.objects, region);
    return readObjectLog(context, { bucket, copiesIn: region }, span);
  });
  return {
    entries: answers.flatMap(({ entries }) => entries),
    more: answers.some(({ more }) => more),
    // What could be read stands, and the answer says what it lacks.
    notAsked: [...answers.flatMap(({ notAsked = [] }) => notAsked), ...new Set(failures)],
  };
}

async function readObjectLog(
  { clients, target, signal }: Context,
  { bucket, copiesIn }: ObjectLog,
  { since, until }: Span,
): Promise<Answered> {
  const { GetObjectCommand, paginateListObjectsV2 } = await import('@aws-sdk/client-s3');
  const client = await clients.s3();
  const last = fileAt(new Date(Date.parse(until) + DELIVERY_MS));
  const keys: string[] = [];
  const input = { Bucket: bucket, Prefix: PREFIX, StartAfter: fileAt(new Date(since)) };
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, input)) {
    signal.throwIfAborted();
    keys.push(...Contents.flatMap(({ Key = '' }) => (Key < last ? [Key] : [])));
    if ((Contents.at(-1)?.Key ?? '') >= last) break;
  }
  // S3 lists the oldest first.
  const newest = keys.slice(-MOST_FILES);
  const entries: AuditEntry[] = [];
  let unread = 0;
  for (let start = 0; start < newest.length; start += CONCURRENCY) {
    const texts = await Promise.all(
      newest.slice(start, start + CONCURRENCY).map(async (Key) => {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }), { abortSignal: signal });
        return (await Body?.transformToString()) ?? '';
      }),
    );
    for (const line of texts.flatMap((text) => text.split('\n')).filter((each) => each !== '')) {
      const read = readRequest(line, target.environment, copiesIn);
      if (read === undefined) unread += 1;
      else entries.push(...read);
    }
  }
  const of = copiesIn === undefined ? '' : ` of the copies in ${copiesIn}`;
  const notAsked = unread === 0 ? [] : [`${counted(unread, 'line')} of the access log${of} could not be read`];
  return { entries, more: keys.length > MOST_FILES, notAsked };
}

function assertAws({ target }: Context): void {
  if (target.platform !== undefined) throw new NotOnLocalPlatform('access logs');
}

/** Key before which S3 writes no file of that moment or a later one. */
const fileAt = (moment: Date): string => `${PREFIX}${moment.toISOString().slice(0, 19).replaceAll(/[T:]/g, '-')}`;

/** As S3 names its session where it copies objects. Nothing but S3 may assume the role that it does so with. */
const REPLICATION_SESSION = 's3-replication';

/** Time, address, requester, operation, key and status; what is between them is skipped. */
const REQUEST = /^\S+ \S+ \[([^\]]+)\] (\S+) (\S+) \S+ (\S+) (\S+) (?:"(?:[^"\\]|\\.)*"|-) (\S+)/;
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/**
 * Reads a line of an access log.
 *
 * @param copiesIn region of the copies, where it is a line of their log
 * @returns no entry for what the functions of the environment and services of AWS did; undefined for a line of another form
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
 */
export function readRequest(line: string, environment: string, copiesIn?: string): AuditEntry[] | undefined {
  const [, time = '', address = '', requester = '', operation = '', key = '', status = ''] = REQUEST.exec(line) ?? [];
  const [, day, month = '', year, clock] = /^(\d+)\/(\w+)\/(\d+):([\d:]+) \+0000$/.exec(time) ?? [];
  if (day === undefined) return undefined;
  const prefix = functionName(environment, '');
  // Both parts: anybody may choose the name of a session, but not the role of a function.
  const [, , session = ''] = requester.split('/');
  const isOwn =
    requester.includes(`:assumed-role/${prefix}`) && (session.startsWith(prefix) || session === REPLICATION_SESSION);
  if (isOwn || requester.startsWith('svc:')) return [];
  const number = String(MONTHS.indexOf(month) + 1).padStart(2, '0');
  return [
    {
      at: new Date(`${year}-${number}-${day}T${clock}Z`).toISOString(),
      source: 'objects',
      who: requester === '-' ? `not signed, from ${address}` : requester.split(':').slice(4).join(':') || requester,
      what: `${operation}${copiesIn === undefined ? '' : ` of the copy in ${copiesIn}`} was answered ${status}, from ${address}`,
      about: key === '-' ? null : decoded(key),
    },
  ];
}

/** A key as it is, where the log has it encoded as a URL; as it is written, where it cannot be decoded. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

async function resourceOf(
  { clients, target }: Context,
  stack: string,
  type: string,
  logicalId: string,
  region?: string,
): Promise<string> {
  const StackName = functionName(target.environment, stack);
  const found = (await listResources(await clients.cloudFormation(region), StackName)).find(
    (resource) => resource.type === type && resource.logicalId.startsWith(logicalId),
  );
  if (found) return found.id;
  throw new CommandError('failed', `the stack ${StackName} has no ${logicalId}: deploy it`);
}
