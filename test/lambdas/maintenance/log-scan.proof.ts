import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { scanLogs } from '../../../lambdas/maintenance/cards/log-scan';
import type { ResultOf, TaskRecord } from '../../../lambdas/maintenance/contract';
import { type LoggingPlatform, scannedLogs } from '../../../lambdas/maintenance/scanned-logs';
import { startCloudFormation } from '../../../local/aws/cloud-formation';
import { startCloudWatchLogs } from '../../../local/aws/cloudwatch-logs';
import type { HttpServer } from '../../../local/runtime/http-server';
import { taskLines } from '../../../ops/print/maintenance';
import { styleOf } from '../../../ops/print/style';
import { idsOfDigits, PLANTED_CARD } from '../../factories/card-corpus';
import { logCorpus } from '../../factories/log-corpus';

type Result = ResultOf<'logs'>;

const CLIENT = { region: 'eu-central-1', credentials: { accessKeyId: 'x', secretAccessKey: 'x' } };
const GROUPS = ['/aws/lambda/BillingOps-local-webhook', '/aws/lambda/BillingOps-local-processor'];
/** Log of an instance that no stack made. */
const EXPORTED = '/aws/rds/instance/main-old/postgresql';
const NOW = new Date('2026-11-29T12:00:00Z');
const GROUPED = PLANTED_CARD.replaceAll(/(\d{4})(?=\d)/g, '$1 ');

/** How functions connect to the databases. */
let databases: LoggingPlatform['databases'];
let folder: string;
let servers: HttpServer[];
let client: CloudWatchLogsClient;
let stacks: CloudFormationClient;

const fileOf = (index: number): string => path.join(folder, `${index}.log`);
beforeEach(async () => {
  databases = { billing: {}, main: {} };
  folder = mkdtempSync(path.join(tmpdir(), 'log-scan-test-'));
  const logs = GROUPS.map((group, index) => ({ group, file: fileOf(index) }));
  const exported = { group: EXPORTED, file: fileOf(2) };
  servers = [await startCloudWatchLogs([...logs, exported]), await startCloudFormation(logs)];
  client = new CloudWatchLogsClient({ ...CLIENT, endpoint: servers[0]?.url });
  stacks = new CloudFormationClient({ ...CLIENT, endpoint: servers[1]?.url });
});
afterEach(async () => {
  client.destroy();
  stacks.destroy();
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(folder, { recursive: true });
});

/** A line of a minute of that day. */
const line = (minute: number, fields: object): string =>
  `${JSON.stringify({ level: 'INFO', timestamp: new Date(Date.UTC(2026, 10, 29, 8, minute)).toISOString(), ...fields })}\n`;

async function scan(last?: Result, remainingMs: () => number = () => 60_000, now = NOW): Promise<Result> {
  const logs = await scannedLogs(stacks, { environment: 'local', region: 'eu-central-1', databases });
  return scanLogs({ client, ...logs, now, remainingMs, last, save: () => Promise.resolve(), paceMs: 0 });
}
const places = ({ findings }: Result): string[] =>
  findings.map(({ group, at, withCode }) => `${group.split('-').at(-1)} ${at.slice(11, 16)}${withCode ? ' code' : ''}`);

test('cards in the lines of logs are found in every form that the corpus plants, and none in what the platform and AWS write', async () => {
  const corpus = logCorpus(200);
  writeFileSync(
    fileOf(0),
    corpus
      .map(({ text }, index) => {
        // PostgreSQL's lines and the like have no time that the stand-in reads: a line before each has.
        const at = new Date(Date.UTC(2026, 10, 29, 4) + index * 1_000).toISOString();
        return `{"timestamp":"${at}"}\n${text.replace('2026-11-29T10:20:30.123Z', at)}\n`;
      })
      .join(''),
  );
  const result = await scan();
  const found = new Set(result.findings.map(({ at }) => (Date.parse(at) - Date.UTC(2026, 10, 29, 4)) / 1_000));
  const planted = corpus.flatMap((text, index) => (text.planted ? [{ ...text, index }] : []));
  const missed = planted.filter(({ index }) => !found.has(index));
  const wrong = [...found].filter((index) => corpus[index]?.planted !== true);
  process.stdout.write(
    `log corpus: ${planted.length} planted, ${planted.length - missed.length} found, ${missed.length} missed; ` +
      `${corpus.length - planted.length} innocent lines, ${wrong.length} false\n`,
  );
  expect(missed.map(({ kind }) => kind)).toEqual([]);
  expect(wrong.map((index) => corpus[index]?.kind)).toEqual([]);
  const codes = result.findings.filter(({ withCode }) => withCode).length;
  expect(codes).toBe(planted.filter(({ code }) => code).length);
  expect(result.probableIds).toBeGreaterThan(5);
});

test('a finding names log, stream and time, never a digit of the card, and stays until its line is gone', async () => {
  writeFileSync(fileOf(0), line(1, { message: 'nothing' }) + line(2, { message: `card ${GROUPED}`, cvc: '123' }));
  writeFileSync(fileOf(1), line(3, { number: PLANTED_CARD }));
  const first = await scan();
  expect(first).toMatchObject({ found: 2, skipped: [] });
  expect(first.findings[0]).toEqual({
    group: GROUPS[0],
    stream: 'local',
    at: '2026-11-29T08:02:00.000Z',
    brand: 'Visa',
    withCode: true,
    key: null,
  });
  const record: TaskRecord = {
    task: 'logs',
    startedAt: NOW.toISOString(),
    durationMs: 1,
    outcome: 'done',
    error: null,
    result: first,
  };
  const lines = taskLines([record], styleOf({}, {}), NOW).join('\n');
  process.stdout.write(`${lines}\n`);
  for (const text of [lines, JSON.stringify(first)]) expect(text).not.toMatch(/4532|0362/);

  // Both were read to their end, and the lines are older than what is read again.
  const second = await scan(first);
  expect(second.groups.map((each) => each.lines)).toEqual([0, 0]);
  expect(places(second)).toEqual(['webhook 08:02 code', 'processor 08:03']);
  writeFileSync(fileOf(1), '');
  expect(places(await scan(second))).toEqual(['webhook 08:02 code']);
});

test('a scan that ends in a log continues there, reads every line, and says what was not read', async () => {
  const filler = 'x'.repeat(20_000);
  writeFileSync(
    fileOf(0),
    Array.from({ length: 180 }, (_, n) => line(n, n === 170 ? { pan: PLANTED_CARD } : { filler })).join(''),
  );
  writeFileSync(fileOf(1), line(5, { message: 'nothing' }));
  // Enough for one page of a megabyte of the first log.
  let asked = 0;
  const first = await scan(undefined, () => ((asked += 1) <= 2 ? 60_000 : 0));
  expect(first.skipped).toEqual([
    { relation: GROUPS[1], reason: 'no time was left' },
    { relation: GROUPS[0], reason: 'no time was left' },
  ]);
  const [read] = first.groups;
  expect(read?.lines).toBeGreaterThan(40);
  expect(read?.lines).toBeLessThan(100);
  let last = first;
  let lines = first.groups[0]?.lines ?? 0;
  for (let scans = 0; last.skipped.length > 0 && scans < 10; scans += 1) {
    asked = 0;
    last = await scan(last, () => ((asked += 1) <= 4 ? 60_000 : 0));
    lines += last.groups[0]?.lines ?? 0;
  }
  expect(last).toMatchObject({ found: 1, skipped: [] });
  expect(places(last)).toEqual(['webhook 10:50']);
  // Where a scan stopped, the lines of that moment are read once more.
  expect(lines).toBeGreaterThanOrEqual(180);
  expect(lines).toBeLessThan(190);
});

test('lines that arrive late are read by the next scan, and a log that does not exist is no gap', async () => {
  writeFileSync(fileOf(0), line(1, { message: 'nothing' }));
  const now = new Date('2026-11-29T08:10:00Z');
  const first = await scan(undefined, undefined, now);
  appendFileSync(fileOf(0), line(2, { message: `card ${PLANTED_CARD}` }));
  expect(places(await scan(first, undefined, new Date('2026-11-29T08:20:00Z')))).toEqual(['webhook 08:02']);
  const groups = ['/aws/lambda/none'];
  const absent = await scanLogs({
    client,
    groups,
    instances: new Map(),
    uncovered: [],
    now,
    remainingMs: () => 60_000,
    last: undefined,
    save: () => Promise.resolve(),
  });
  expect(absent).toMatchObject({ found: 0, skipped: [], groups: [{ exists: false }] });
});

test('logs that existing instances export are read, and each server whose log no scan reads is named', async () => {
  for (const index of [0, 1]) writeFileSync(fileOf(index), '');
  writeFileSync(fileOf(2), line(4, { message: `card ${PLANTED_CARD}` }));
  databases = {
    billing: { host: 'billing-old.c0ffee.eu-west-1.rds.amazonaws.com' },
    main: { instanceIdentifier: 'main-old' },
  };
  const found = await scan();
  expect(found.findings.map(({ group }) => group)).toEqual([EXPORTED]);
  expect(found.groups.map(({ group, exists }) => [group, exists]).slice(2)).toEqual([
    [EXPORTED, true],
    ['/aws/rds/instance/main-old/upgrade', false],
  ]);
  expect(found.uncovered).toEqual([{ what: 'log of instance billing-old', reason: 'it is in eu-west-1' }]);

  databases = { billing: { host: 'db.example.com' }, main: { instanceIdentifier: 'other' } };
  const { uncovered, skipped } = await scan();
  expect(skipped).toEqual([]);
  expect(uncovered).toEqual([
    { what: 'log of the server of billing', reason: 'neither its host nor the settings name an instance of RDS' },
    {
      what: 'log of instance other',
      reason: 'it is not exported to CloudWatch: there is no log group /aws/rds/instance/other/postgresql',
    },
  ]);
});

test('cards beyond the thousand that are kept are found when those are removed', async () => {
  const cardAt = (n: number) =>
    `${JSON.stringify({ timestamp: new Date(NOW.getTime() - 3_600_000 + n * 1_000), pan: PLANTED_CARD })}\n`;
  const lines = Array.from({ length: 1_200 }, (_, n) => cardAt(n));
  writeFileSync(fileOf(0), lines.join(''));
  const first = await scan();
  expect([first.found, first.findings.length]).toEqual([1_200, 1_000]);
  writeFileSync(fileOf(0), lines.slice(1_000).join(''));
  // Each of the thousand takes a request to look again: ten do for the others.
  const second = await scan({ ...first, findings: first.findings.slice(0, 10) });
  expect([second.found, second.findings.length]).toEqual([200, 200]);
});

test('of a log full of cards, the first are kept, and the scan stops there until they are removed', async () => {
  const seconds = Array.from({ length: 250 }, (_, n) => n);
  const cardAt = (n: number) =>
    JSON.stringify({ timestamp: new Date(NOW.getTime() - 3_600_000 + n * 1_000), pan: PLANTED_CARD });
  writeFileSync(fileOf(0), seconds.map((n) => `${cardAt(n)}\n`).join(''));
  const result = await scan();
  expect(result.found).toBe(250);
  expect(result.skipped).toEqual([
    { relation: GROUPS[0], reason: expect.stringMatching(/^200 or more lines with card numbers/) },
  ]);
  const again = await scan(result);
  expect(again.skipped).toHaveLength(1);
  writeFileSync(fileOf(0), '');
  expect(await scan(again)).toMatchObject({ found: 0, skipped: [] });
});

test('a key of long ids is taken for ids, a key with nothing but cards for cards', async () => {
  writeFileSync(
    fileOf(0),
    idsOfDigits(300)
      .map((order, n) => line(1, { n, order }))
      .join('') + line(9, { reference: PLANTED_CARD }),
  );
  const result = await scan();
  expect(places(result)).toEqual(['webhook 08:09']);
  expect(result.probableIds).toBeGreaterThan(15);
});

test('what a key holds is known from earlier scans, also after one that was killed', async () => {
  const ids = idsOfDigits(305).map((order, n) => line(n < 300 ? 1 : 200, { n, order }));
  const killed: Result[] = [];
  writeFileSync(fileOf(0), ids.slice(0, 300).join(''));
  const save = (result: Result) => Promise.resolve(void killed.push(structuredClone(result)));
  const logs = { groups: GROUPS, instances: new Map<string, string>(), uncovered: [] };
  const scanning = { client, ...logs, remainingMs: () => 60_000, last: undefined, paceMs: 0 };
  const now = new Date(NOW.getTime() - 3_600_000);
  await scanLogs({ ...scanning, now, save });
  expect(killed.at(-1)).toMatchObject({ found: 0, numbers: [{ group: GROUPS[0], key: 'order' }] });

  // Five more, all with a valid check digit: cards, but for what was read before.
  const card = line(200, { order: PLANTED_CARD });
  writeFileSync(fileOf(0), ids.join('') + card);
  for (const last of [killed[0], killed.at(-1)]) expect(await scan(last)).toMatchObject({ found: 0 });
  expect((await scan()).found).toBe(0);
});

test('numbers that were taken for cards are no findings once their key turns out to hold ids', async () => {
  writeFileSync(fileOf(0), line(1, { order: PLANTED_CARD }) + line(2, { message: `card ${GROUPED}` }));
  const first = await scan();
  expect(places(first)).toEqual(['webhook 08:02', 'webhook 08:01']);
  const ids = idsOfDigits(100).map((order, n) => line(300, { n, order }));
  appendFileSync(fileOf(0), ids.join(''));
  // With the time to look again, and without.
  for (const again of [60_000, 0]) {
    let asked = 0;
    const remainingMs = () => ((asked += 1) === 1 ? again : 60_000);
    expect(places(await scan(first, remainingMs, new Date(NOW.getTime() + 86_400_000)))).toEqual(['webhook 08:02']);
  }
});
