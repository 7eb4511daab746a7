/** Findings of a table, or of a log, that are kept; further ones are counted. A finding takes some 300 bytes. */
const MOST_KEPT = 1_000;
/** Bare numbers in a column from which on their check digits tell ids from cards, and the share of valid ones of cards. */
const ENOUGH_NUMBERS = 20;
const CARDS_SHARE = 0.5;

/** Where a finding is. */
export interface FoundPlace {
  /** Table or log. */
  readonly source: string;
  /** Column, or key of JSON, of that source. */
  readonly column: string;
  /** Row, or stream and time. */
  readonly row: string;
}

class Kept<Finding> {
  private readonly findings = new Map<string, Finding>();
  /** Beyond those that are kept. */
  further = 0;

  add({ column, row }: FoundPlace, finding: Finding): void {
    const key = JSON.stringify([column, row]);
    if (this.findings.has(key)) return;
    if (this.findings.size < MOST_KEPT) this.findings.set(key, finding);
    else this.further += 1;
  }

  get count(): number {
    return this.findings.size + this.further;
  }

  values(): Finding[] {
    return [...this.findings.values()];
  }
}

/** Bare numbers of a column: cards, or ids of which a tenth has a valid check digit by chance. */
class BareNumbers<Finding> {
  readonly kept = new Kept<Finding>();
  private valid = 0;
  private failed = 0;

  constructor(readonly source: string) {}

  add(place: FoundPlace, finding: Finding, count: number): void {
    this.kept.add(place, finding);
    this.valid += count;
  }

  fail(count: number): void {
    this.failed += count;
  }

  /** Of cards, all have a valid check digit. */
  get areIds(): boolean {
    const all = this.valid + this.failed;
    return all >= ENOUGH_NUMBERS && this.valid / all < CARDS_SHARE;
  }

  get ids(): number {
    return this.areIds ? this.valid : 0;
  }
}

/** What a scan found so far: all of it counted, and the first thousand of each table or log, and of each column of bare numbers, kept. */
export class FoundCards<Finding> {
  private readonly sure = new Map<string, Kept<Finding>>();
  private readonly bare = new Map<string, BareNumbers<Finding>>();

  /** @param count cards at that place; only those of bare numbers matter */
  add(place: FoundPlace, isBare: boolean, finding: Finding, count = 1): void {
    if (isBare) this.bareOf(place).add(place, finding, count);
    else {
      const kept = this.sure.get(place.source) ?? new Kept<Finding>();
      this.sure.set(place.source, kept);
      kept.add(place, finding);
    }
  }

  /** Bare numbers without a valid check digit. */
  fail(place: Omit<FoundPlace, 'row'>, count: number): void {
    this.bareOf(place).fail(count);
  }

  /** Findings that are kept, without bare numbers in columns of ids. */
  values(): Finding[] {
    return this.all().flatMap((kept) => kept.values());
  }

  /** Findings that are not kept. */
  get further(): number {
    return this.all().reduce((sum, { further }) => sum + further, 0);
  }

  /** Findings of one table or log. */
  countOf(source: string): number {
    const bare = [...this.bare.values()].filter((column) => column.source === source && !column.areIds);
    return (this.sure.get(source)?.count ?? 0) + bare.reduce((sum, { kept }) => sum + kept.count, 0);
  }

  /** Numbers in columns of ids. */
  get ids(): number {
    return [...this.bare.values()].reduce((sum, { ids }) => sum + ids, 0);
  }

  private all(): Kept<Finding>[] {
    const bare = [...this.bare.values()].filter(({ areIds }) => !areIds);
    return [...this.sure.values(), ...bare.map(({ kept }) => kept)];
  }

  private bareOf({ source, column }: Omit<FoundPlace, 'row'>): BareNumbers<Finding> {
    const key = JSON.stringify([source, column]);
    const numbers = this.bare.get(key) ?? new BareNumbers<Finding>(source);
    this.bare.set(key, numbers);
    return numbers;
  }
}
