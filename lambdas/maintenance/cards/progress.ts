import { ERASED_ROW } from '../../../core/erasure/card-rows';
import type { ResultOf } from '../contract';
import type { ScannedTable } from './columns';
import { FoundCards } from './found-cards';
import type { CardFinding, ScannedPage } from './page';

/** Findings that a record has at most, some 300 kB: where the next scan looks first. */
const MAX_FINDINGS = 2_000;
/** What was skipped that a record lists at most. */
const MAX_LISTED = 100;
/** How often a scan records where it is: what a killed one has to repeat. */
const SAVE_MS = 5_000;

export type CardsResult = ResultOf<'cards'>;
export type Coverage = CardsResult['tables'][number];
export type Listed = CardsResult['findings'][number];

/** How far a scan is, and what it found. */
export class Progress {
  private readonly tables = new Map<string, Coverage>();
  private readonly cards = new FoundCards<Listed>();
  private kept: Listed[] = [];
  private readonly hasLeftOut = new Set<string>();
  private readonly skipped: CardsResult['skipped'] = [];
  private savedMs = performance.now();
  private saved = 0;

  /**
   * @param now when the scan began
   * @param save records how far it is
   */
  constructor(
    private readonly now: Date,
    private readonly save: (result: CardsResult) => Promise<void>,
  ) {}

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

  found(table: string, page: ScannedPage): void {
    for (const finding of page.findings) {
      const { column, row, bare, cards } = finding;
      this.cards.add({ source: table, column, row }, bare, listed(finding), cards);
    }
    for (const [column, failed] of page.failedChecks) this.cards.fail({ source: table, column }, failed);
    for (const column of page.cut) this.skip(table, `the end of values of more than 1 MiB in ${column}`);
  }

  /** Findings of the last scan that could not be looked at, or whose row may have moved: kept until the whole table was read. */
  keep(findings: readonly Listed[]): void {
    const missing = this.now.toISOString();
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

  async reached(table: string, [from, to]: readonly [number, number]): Promise<void> {
    const before = this.tables.get(table);
    if (before === undefined) return;
    const isWhole = to >= before.blocks;
    const beganAt = from === 0 && !this.hasLeftOut.has(table) ? this.now.toISOString() : before.beganAt;
    if (isWhole && beganAt !== null) {
      const isSettled = (each: Listed) => each.table === table && (each.missingSince ?? '') <= beganAt;
      this.kept = this.kept.filter((each) => !isSettled(each));
    }
    this.tables.set(table, {
      ...before,
      scanned: before.scanned + to - from,
      nextBlock: isWhole ? 0 : to,
      beganAt,
      scannedAt: this.now.toISOString(),
      wholeAt: isWhole ? this.now.toISOString() : before.wholeAt,
    });
    // What was found is on record at once.
    const found = this.cards.values().length;
    if (found === this.saved && performance.now() - this.savedMs < SAVE_MS) return;
    await this.save(this.result());
    this.savedMs = performance.now();
    this.saved = found;
  }

  result(): CardsResult {
    const found = new Map(
      [...this.kept, ...this.cards.values()].map((finding, index) => {
        const { table, column, row } = finding;
        return [JSON.stringify([table, column, row, row === ERASED_ROW ? index : null]), finding];
      }),
    );
    return {
      found: found.size + this.cards.further,
      findings: [...found.values()].slice(0, MAX_FINDINGS),
      probableIds: this.cards.ids,
      tables: [...this.tables.values()],
      skipped: this.skipped,
    };
  }
}

/** A finding as a record has it. */
function listed({ table, column, row, block, brand, withCode }: CardFinding): Listed {
  return { table, column, row, block, brand, withCode, missingSince: null };
}
