import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CloudWatchLogsClient,
  FilterLogEventsCommand,
  type FilterLogEventsCommandInput,
  type FilteredLogEvent,
  ResourceNotFoundException,
} from '@aws-sdk/client-cloudwatch-logs';
import { exportedLogName } from '../../../core/database/contract';
import { messageOf } from '../../../core/runtime/errors';
import type { ResultOf } from '../contract';
import type { ScannedLogs } from '../scanned-logs';
import { FoundCards } from './found-cards';
import { isName, scanLine } from './log-lines';

/** Logs are kept for a year: nothing is older. */
const OLDEST_MS = 366 * 86_400_000;
/** Lines reach CloudWatch after others of a later time: so much of the end is read again by the next scan. */
const SETTLED_MS = 15 * 60_000;
/** Findings of one log from which on a scan reads one page of it: the lines have to be removed first. */
const ENOUGH_FOUND = 200;
/** Keys whose numbers a record counts, the most numerous: some 100 bytes each. */
const MOST_KEYS = 500;
/** Longest that a scan looks again where the last one found cards; of the time that is left, half. */
const AGAIN_MS = 120_000;
/** Between two requests: CloudWatch answers five of these requests a second in a region, and operators read logs, too. */
const PACE_MS = 250;
/** How often a scan records where it is: what a killed one has to repeat. */
const SAVE_MS = 5_000;
/** Less time is not worth a start. */
const LEAST_MS = 1_000;

const NO_TIME = 'no time was left';

type LogsResult = ResultOf<'logs'>;
type Finding = LogsResult['findings'][number];
type Coverage = LogsResult['groups'][number];

export interface LogScan extends ScannedLogs {
  readonly client: CloudWatchLogsClient;
  /** When the scan began. */
  readonly now: Date;
  /** Milliseconds that are left. */
  readonly remainingMs: () => number;
  /** What the last scan recorded, killed or not; `undefined` before the first. */
  readonly last: LogsResult | undefined;
  /** Records how far the scan is. */
  readonly save: (result: LogsResult) => Promise<void>;
  /** Milliseconds between two requests. @default 250 */
  readonly paceMs?: number;
}

/**
 * Looks for card numbers in logs: first whether those that the last scan found are still there, then each log from the time at which
 * that one stopped, the one furthest behind first, each for half of the time that is left. A scan that was killed is continued.
 * FilterLogEvents is free of charge, and sorts events by their time.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
 */
export async function scanLogs(scan: LogScan): Promise<LogsResult> {
  const { last, remainingMs } = scan;
  const progress = new LogProgress(scan);
  const untilMs = performance.now() + Math.min(AGAIN_MS, remainingMs() / 2);
  for (const finding of last?.findings ?? []) {
    if (performance.now() > untilMs) {
      progress.keep(finding);
      continue;
    }
    await lookAgain(scan, finding, progress);
    await sleep(scan.paceMs ?? PACE_MS);
  }
  const order = scan.groups.toSorted((one, other) => progress.startOf(one) - progress.startOf(other));
  for (const [index, group] of order.entries()) {
    const left = remainingMs();
    if (left < LEAST_MS) {
      progress.skip(group, NO_TIME);
      continue;
    }
    const reserve = index === order.length - 1 ? 0 : left / 2;
    try {
      await scanGroup(scan, group, progress, () => remainingMs() > reserve);
    } catch (error) {
      if (error instanceof ResourceNotFoundException) progress.absent(group);
      else progress.skip(group, messageOf(error));
    }
  }
  const result = progress.result();
  await scan.save(result);
  return result;
}

/** Keeps a finding whose line is there, as what its line is taken for now. What cannot be looked at stays as it is. */
async function lookAgain({ client }: LogScan, finding: Finding, progress: LogProgress): Promise<void> {
  const { group, stream, at } = finding;
  const startTime = Date.parse(at);
  const input = { logGroupName: group, logStreamNames: [stream], startTime, endTime: startTime + 1 };
  try {
    for await (const events of pagesOf(client, input)) {
      for (const event of events.filter(({ timestamp }) => timestamp === startTime)) progress.seenAgain(group, event);
    }
  } catch (error) {
    // Otherwise the stream, or the log, was deleted.
    if (!(error instanceof ResourceNotFoundException)) progress.keep(finding);
  }
}

async function* pagesOf(
  client: CloudWatchLogsClient,
  input: FilterLogEventsCommandInput,
): AsyncGenerator<readonly FilteredLogEvent[]> {
  let nextToken: string | undefined;
  do {
    const page = await client.send(new FilterLogEventsCommand({ ...input, nextToken }));
    yield page.events ?? [];
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
}

async function scanGroup(
  { client, now, paceMs = PACE_MS }: LogScan,
  group: string,
  progress: LogProgress,
  hasTime: () => boolean,
): Promise<void> {
  const startTime = progress.startOf(group);
  let pages = 0;
  for await (const events of pagesOf(client, { logGroupName: group, startTime, endTime: now.getTime() })) {
    pages += 1;
    for (const event of events) progress.scanned(group, event);
    await progress.reached(group, events.at(-1)?.timestamp);
    if (progress.countOf(group) >= ENOUGH_FOUND) {
      progress.skip(
        group,
        `${ENOUGH_FOUND} or more lines with card numbers: each scan reads one page further until they are removed`,
      );
      return;
    }
    if (!hasTime()) return;
    if (pages > 1) await sleep(paceMs);
  }
  progress.ended(group);
}

/** How far a scan is, and what it found. */
class LogProgress {
  private readonly groups = new Map<string, Coverage>();
  private readonly starts = new Map<string, number>();
  private readonly cards: FoundCards<Finding>;
  private readonly skipped: LogsResult['skipped'] = [];
  private savedMs = performance.now();
  private saved = 0;

  constructor(private readonly scan: LogScan) {
    const numbers = scan.last?.numbers ?? [];
    this.cards = new FoundCards(
      numbers.map(({ group, key, ...counts }) => ({ source: group, column: key, ...counts })),
    );
    const known = new Map(scan.last?.groups.map((coverage) => [coverage.group, coverage]));
    for (const group of scan.groups) {
      const { scannedUntil = null, wholeAt = null } = known.get(group) ?? {};
      this.starts.set(group, scannedUntil === null ? scan.now.getTime() - OLDEST_MS : Date.parse(scannedUntil));
      this.groups.set(group, { group, exists: true, lines: 0, characters: 0, scannedUntil, wholeAt });
    }
  }

  /** Milliseconds since 1970 from which this scan reads a log. */
  startOf(group: string): number {
    return this.starts.get(group) ?? 0;
  }

  /** A finding of the last scan that could not be looked at. */
  keep(finding: Finding): void {
    const { group, stream, at, key } = finding;
    this.cards.add({ source: group, column: key ?? '', row: rowOf(stream, at) }, key !== null, finding, 0);
  }

  /** The line of a finding of the last scan, which counted its numbers. */
  seenAgain(group: string, event: FilteredLogEvent): void {
    this.addLine(group, event, false);
  }

  scanned(group: string, event: FilteredLogEvent): void {
    const { length } = event.message ?? '';
    this.change(group, ({ lines, characters }) => ({ lines: lines + 1, characters: characters + length }));
    this.addLine(group, event, true);
  }

  private addLine(group: string, event: FilteredLogEvent, isNew: boolean): void {
    const { message = '', timestamp = 0, logStreamName: stream = '' } = event;
    const { card, bare } = scanLine(message);
    const at = new Date(timestamp).toISOString();
    const row = rowOf(stream, at);
    if (card) {
      const { brand, withCode } = card;
      this.cards.add({ source: group, column: '', row }, false, { group, stream, at, brand, withCode, key: null });
    }
    for (const { key: column, cards, failed } of bare) {
      if (isNew && failed > 0) this.cards.fail({ source: group, column }, failed);
      const [first] = cards;
      if (first === undefined) continue;
      const { brand, withCode } = first;
      const finding = { group, stream, at, brand, withCode, key: isName(column) ? column : null };
      this.cards.add({ source: group, column, row }, true, finding, isNew ? cards.length : 0);
    }
  }

  /** Findings in a log, those of the last scan included. */
  countOf(group: string): number {
    return this.cards.countOf(group);
  }

  /** Everything before a time was read. */
  async reached(group: string, timestamp: number | undefined): Promise<void> {
    if (timestamp !== undefined) this.change(group, () => ({ scannedUntil: this.untilOf(group, timestamp) }));
    // What was found is on record at once.
    const found = this.cards.values().length;
    if (found === this.saved && performance.now() - this.savedMs < SAVE_MS) return;
    await this.scan.save(this.result());
    this.savedMs = performance.now();
    this.saved = found;
  }

  /** A log was read to its end. */
  ended(group: string): void {
    this.change(group, () => ({
      scannedUntil: this.untilOf(group, this.settled),
      wholeAt: this.scan.now.toISOString(),
    }));
  }

  absent(group: string): void {
    this.change(group, () => ({ exists: false }));
  }

  skip(relation: string, reason: string): void {
    this.skipped.push({ relation, reason });
  }

  result(): LogsResult {
    const found = new Map<string, Finding>();
    for (const finding of this.cards.values()) {
      const { group, stream, at } = finding;
      const line = JSON.stringify([group, stream, at]);
      // A card that is certain comes first, and stays one whatever a key of its line turns out to hold.
      if (!found.has(line)) found.set(line, finding);
    }
    const behind = [...this.groups.values()].filter(
      ({ group, wholeAt, exists }) =>
        exists && wholeAt !== this.scan.now.toISOString() && !this.skipped.some(({ relation }) => relation === group),
    );
    return {
      found: found.size + this.cards.further,
      findings: [...found.values()],
      probableIds: this.cards.ids,
      numbers: this.cards.numbers
        .filter(({ column }) => isName(column))
        .slice(0, MOST_KEYS)
        .map(({ source: group, column: key, valid, failed }) => ({ group, key, valid, failed })),
      groups: [...this.groups.values()],
      skipped: [...this.skipped, ...behind.map(({ group }) => ({ relation: group, reason: NO_TIME }))],
      uncovered: [...this.scan.uncovered, ...this.unexported()],
    };
  }

  /** Instances that no stack made and that have no log in CloudWatch. The log of upgrades begins with the first one. */
  private unexported(): LogsResult['uncovered'] {
    return [...this.scan.instances].flatMap(([group, id]) =>
      this.groups.get(group)?.exists === false && group === exportedLogName(id, 'postgresql')
        ? [
            {
              what: `log of instance ${id}`,
              reason: `it is not exported to CloudWatch: there is no log group ${group}`,
            },
          ]
        : [],
    );
  }

  /** Up to where a log was read, at most a time; not past a finding that is not kept: the next scan has to find it again. */
  private untilOf(group: string, timestamp: number): string {
    const further = this.cards.firstFurtherOf(group).map(({ at }) => Date.parse(at));
    return new Date(Math.max(this.startOf(group), Math.min(timestamp, this.settled, ...further))).toISOString();
  }

  private get settled(): number {
    return this.scan.now.getTime() - SETTLED_MS;
  }

  private change(group: string, how: (before: Coverage) => Partial<Coverage>): void {
    const before = this.groups.get(group);
    if (before !== undefined) this.groups.set(group, { ...before, ...how(before) });
  }
}

function rowOf(stream: string, at: string): string {
  return `${stream} ${at}`;
}
