import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientBase, DatabaseError } from 'pg';
import { ERASED_ROW } from '../../../core/erasure/card-rows';
import { countBlocks, readScannedTables, type ScannedTable } from './columns';
import { type CardFinding, scanPage, scanRow } from './page';
import { type CardsResult, type Coverage, type Listed, Progress } from './progress';

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
/** Less time is not worth a start. */
const LEAST_MS = 1_000;

const NO_TIME = 'no time was left';

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
  const progress = new Progress(scan.now, scan.save);
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
  { client }: CardScan,
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
  if (total === 0) return progress.reached(table.name, [0, 0]);
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
    await progress.reached(table.name, [from, to]);
    from = to;
    await sleep(tookMs * PAUSE_FACTOR);
  }
}
