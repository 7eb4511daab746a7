import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientBase, DatabaseError } from 'pg';
import { ERASED_ROW } from '../../../core/erasure/card-rows';
import type { ResultOf } from '../contract';
import { countBlocks, readScannedTables, type ScannedTable } from './columns';
import { type CardFinding, scanPage, scanRow } from './page';

/** Findings that a record has at most, some 300 kB: where the next scan looks first. */
const MAX_FINDINGS = 2_000;
/** What was skipped that a record lists at most. */
const MAX_LISTED = 100;
/** Longest that a scan looks again where the last one found cards; of the time that is left, half. */
const AGAIN_MS = 120_000;
/** Pages of a table that are read at first, and at most: 8 MiB, beside what is stored apart. */
const FIRST_BLOCKS = 8;
const MAX_BLOCKS = 1_024;
/** What a part of a table should take. Longer holds up what wants to change the table; shorter is mostly round trips. */
const PART_MS = 200;
/** A part that takes longer is ended by PostgreSQL, and halved. */
const LIMITS = { statementMs: 3_000, lockMs: 1_000 };
/** Beside others the scan takes half of a processor at most, for it waits as long as it worked. */
const PAUSE_FACTOR = 1;
/** How often a scan records where it is: what a killed one has to repeat. */
const SAVE_MS = 5_000;
/** Less time is not worth a start. */
const LEAST_MS = 1_000;
/** Bare numbers in a column from which on their check digits tell ids from cards, and the share of valid ones of cards. */
const ENOUGH_NUMBERS = 20;
const CARDS_SHARE = 0.5;

const NO_TIME = 'no time was left';

type CardsResult = ResultOf<'cards'>;
type Coverage = CardsResult['tables'][number];
type Listed = CardsResult['findings'][number];

export interface CardScan {
  readonly client: ClientBase;
  /** When the scan began. */
  readonly now: Date;
  /** Milliseconds that are left. */
  readonly remainingMs: () => number;
  /** What the last scan recorded, killed or not; `undefined` before the first. */
  readonly last: CardsResult | undefined;
  /** Records how far the scan is. */
  readonly save: (result: CardsResult) => Promise<void>;
}

/**
 * Looks for card numbers in every column of text and JSON: first where the last scan found some, then each table from where that one
 * stopped, those that were not looked at for longest first, each for half of the time that is left. So small tables are scanned whole each
 * time, and large ones over several scans. A scan that was killed is continued.
 */
export async function scanCards(scan: CardScan): Promise<CardsResult> {
  const { client, last, remainingMs } = scan;
  const known = new Map(last?.tables.map((table) => [table.table, table]));
  const progress = new Progress(scan);
  const tables = await readScannedTables(client);
  for (const table of tables) progress.add(table, known.get(table.name));
  const untilMs = performance.now() + Math.min(AGAIN_MS, remainingMs() / 2);
  for (const table of tables) await scanAgain(scan, table, progress, untilMs);
  const order = tables.toSorted((one, other) => age(known.get(one.name)) - age(known.get(other.name)));
  for (const [index, table] of order.entries()) {
    if (!table.readable) {
      progress.skip(table.name, 'the role may not read it');
      continue;
    }
    const left = remainingMs();
    if (left < LEAST_MS) {
      progress.skip(table.name, NO_TIME);
      continue;
    }
    const reserve = index === order.length - 1 ? 0 : left / 2;
    await scanTable(scan, table, progress, () => remainingMs() > reserve);
  }
  const result = progress.result();
  await scan.save(result);
  return result;
}

/**
 * Scans pages in which the last scan found a card, and rows that have moved since, so that its alarm ends when the card is gone, and not
 * before: what cannot be looked at stays a finding.
 */
async function scanAgain(
  { client, last }: CardScan,
  table: ScannedTable,
  progress: Progress,
  untilMs: number,
): Promise<void> {
  const known = last?.findings.filter((finding) => finding.table === table.name) ?? [];
  let isBusy = !table.readable;
  for (const [block, findings] of Map.groupBy(known, (finding) => finding.block)) {
    if (isBusy || performance.now() > untilMs) {
      progress.keep(findings);
      continue;
    }
    try {
      const page = await scanPage(client, table, [block, block + 1], LIMITS);
      progress.found(table.name, page);
      for (const finding of notAmong(page.findings, findings)) {
        const row = await scanRow(client, table, finding.row, LIMITS);
        if (row === undefined) progress.keep([finding]);
        else progress.found(table.name, row);
      }
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      isBusy = true;
      progress.keep(findings);
      progress.skip(table.name, `page ${block}: ${error.message}`);
    }
  }
}

/** Findings of a page that are not there any more. One whose row was forgotten stands for any of its column. */
function notAmong(seen: readonly CardFinding[], known: readonly Listed[]): Listed[] {
  const left = new Map(seen.map((finding) => [`${finding.column} ${finding.row}`, finding]));
  const isGone = ({ column, row }: Listed) => {
    const found = [...left].find(([, each]) => each.column === column && (row === ERASED_ROW || each.row === row));
    return found === undefined || !left.delete(found[0]);
  };
  return known
    .toSorted((one, other) => Number(one.row === ERASED_ROW) - Number(other.row === ERASED_ROW))
    .filter(isGone);
}

/** When a table was last looked at; 0 for never. */
const age = (coverage: Coverage | undefined): number =>
  coverage?.scannedAt == null ? 0 : Date.parse(coverage.scannedAt);

async function scanTable(
  { client, now }: CardScan,
  table: ScannedTable,
  progress: Progress,
  hasTime: () => boolean,
): Promise<void> {
  const total = await countBlocks(client, table).catch((error: unknown) => error);
  if (typeof total !== 'number') {
    if (!(total instanceof DatabaseError)) throw total;
    progress.skip(table.name, total.message);
    return;
  }
  progress.measured(table.name, total);
  if (total === 0) return progress.reached(table.name, [0, 0], now);
  let blocks = FIRST_BLOCKS;
  const start = progress.positionOf(table.name);
  for (let from = start < total ? start : 0, parts = 0; from < total; parts += 1) {
    if (!hasTime()) {
      if (parts === 0) progress.skip(table.name, NO_TIME);
      return;
    }
    const to = Math.min(from + blocks, total);
    const startedMs = performance.now();
    try {
      const page = await scanPage(client, table, [from, to], LIMITS);
      progress.found(table.name, page);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      if (error.code === '57014' && blocks > 1) {
        blocks = Math.max(1, Math.floor(blocks / 4));
        continue;
      }
      progress.leftOut(table.name);
      progress.skip(table.name, error.code === '57014' ? `page ${from} took longer than 3 s` : error.message);
      // One page that takes too long hides none after it.
      if (error.code !== '57014') return;
    }
    const tookMs = performance.now() - startedMs;
    blocks = tookMs > PART_MS ? Math.max(1, Math.floor(blocks / 2)) : Math.min(MAX_BLOCKS, blocks * 2);
    await progress.reached(table.name, [from, to], now);
    from = to;
    await sleep(tookMs * PAUSE_FACTOR);
  }
}

/** How far a scan is, and what it found. */
class Progress {
  private readonly tables = new Map<string, Coverage>();
  private readonly findings: CardFinding[] = [];
  private kept: Listed[] = [];
  private readonly hasLeftOut = new Set<string>();
  private readonly failedChecks = new Map<string, number>();
  private readonly skipped: CardsResult['skipped'] = [];
  private savedMs = performance.now();
  private saved = 0;

  constructor(private readonly scan: CardScan) {}

  add({ name, columns }: ScannedTable, known: Coverage | undefined): void {
    const { blocks = 0, nextBlock = 0, beganAt = null, scannedAt = null, wholeAt = null } = known ?? {};
    const times = { beganAt, scannedAt, wholeAt };
    this.tables.set(name, { table: name, columns: columns.length, blocks, scanned: 0, nextBlock, ...times });
  }

  measured(table: string, blocks: number): void {
    const before = this.tables.get(table);
    if (before !== undefined) this.tables.set(table, { ...before, blocks });
  }

  positionOf(table: string): number {
    return this.tables.get(table)?.nextBlock ?? 0;
  }

  found(table: string, page: Awaited<ReturnType<typeof scanPage>>): void {
    this.findings.push(...page.findings);
    for (const [column, failed] of page.failedChecks) {
      const place = `${table}.${column}`;
      this.failedChecks.set(place, (this.failedChecks.get(place) ?? 0) + failed);
    }
    for (const column of page.cut) this.skip(table, `the end of values of more than 1 MiB in ${column}`);
  }

  /** Findings of the last scan that could not be looked at, or whose row may have moved: kept until the whole table was read. */
  keep(findings: readonly Listed[]): void {
    const missing = this.scan.now.toISOString();
    this.kept.push(...findings.map((each) => ({ ...each, missingSince: each.missingSince ?? missing })));
  }

  /** A page could not be read: the whole table is not read before the next time that it is begun. */
  leftOut(table: string): void {
    this.hasLeftOut.add(table);
    const before = this.tables.get(table);
    if (before !== undefined) this.tables.set(table, { ...before, beganAt: null });
  }

  skip(relation: string, reason: string): void {
    const isListed = this.skipped.some((known) => known.relation === relation && known.reason === reason);
    if (!isListed && this.skipped.length < MAX_LISTED) this.skipped.push({ relation, reason });
  }

  async reached(table: string, [from, to]: readonly [number, number], now: Date): Promise<void> {
    const before = this.tables.get(table);
    if (before === undefined) return;
    const isWhole = to >= before.blocks;
    const beganAt = from === 0 && !this.hasLeftOut.has(table) ? now.toISOString() : before.beganAt;
    if (isWhole && beganAt !== null) {
      const isSettled = (each: Listed) => each.table === table && (each.missingSince ?? '') <= beganAt;
      this.kept = this.kept.filter((each) => !isSettled(each));
    }
    this.tables.set(table, {
      ...before,
      scanned: before.scanned + to - from,
      nextBlock: isWhole ? 0 : to,
      beganAt,
      scannedAt: now.toISOString(),
      wholeAt: isWhole ? now.toISOString() : before.wholeAt,
    });
    // What was found is on record at once.
    if (this.findings.length === this.saved && performance.now() - this.savedMs < SAVE_MS) return;
    await this.scan.save(this.result());
    this.savedMs = performance.now();
    this.saved = this.findings.length;
  }

  result(): CardsResult {
    const [ids, cards] = this.separateIds();
    const found = new Map(
      [...this.kept, ...cards].map((finding, index) => {
        const { table, column, row } = finding;
        return [JSON.stringify([table, column, row, row === ERASED_ROW ? index : null]), finding];
      }),
    );
    return {
      found: found.size,
      findings: [...found.values()].slice(0, MAX_FINDINGS),
      probableIds: ids.length,
      tables: [...this.tables.values()],
      skipped: this.skipped,
    };
  }

  /** A column of long ids has card numbers by chance: a tenth of them has the check digit. Of cards, all have. */
  private separateIds(): [CardFinding[], Listed[]] {
    const bare = Map.groupBy(
      this.findings.filter((finding) => finding.bare),
      ({ table, column }) => `${table}.${column}`,
    );
    const areIds = (place: string) => {
      const valid = bare.get(place)?.length ?? 0;
      const all = valid + (this.failedChecks.get(place) ?? 0);
      return all >= ENOUGH_NUMBERS && valid / all < CARDS_SHARE;
    };
    const isId = (finding: CardFinding) => finding.bare && areIds(`${finding.table}.${finding.column}`);
    return [this.findings.filter(isId), this.findings.filter((finding) => !isId(finding)).map(listed)];
  }
}

/** A finding as a record has it. */
function listed({ table, column, row, block, brand, withCode }: CardFinding): Listed {
  return { table, column, row, block, brand, withCode, missingSince: null };
}
