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

/** Bare numbers of a column, or key, that have a valid check digit, and those that do not. */
export interface NumberCount {
  /** Table or log. */
  readonly source: string;
  readonly column: string;
  readonly valid: number;
  readonly failed: number;
}

class Kept<Finding> {
  private readonly findings = new Map<string, Finding>();
  /** Beyond those that are kept. */
  further = 0;
  /** The first of these. */
  firstFurther: Finding | undefined;

  add({ column, row }: FoundPlace, finding: Finding): void {
    const key = JSON.stringify([column, row]);
    if (this.findings.has(key)) return;
    if (this.findings.size < MOST_KEPT) this.findings.set(key, finding);
    else {
      this.further += 1;
      this.firstFurther ??= finding;
    }
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

  /** @param known counts of earlier scans */
  constructor(
    readonly source: string,
    private readonly column: string,
    private readonly known = { valid: 0, failed: 0 },
  ) {}

  add(place: FoundPlace, finding: Finding, count: number): void {
    this.kept.add(place, finding);
    this.valid += count;
  }

  fail(count: number): void {
    this.failed += count;
  }

  /** Of cards, all have a valid check digit. */
  get areIds(): boolean {
    const { valid, failed } = this.total;
    return valid + failed >= ENOUGH_NUMBERS && valid / (valid + failed) < CARDS_SHARE;
  }

  /** Those of earlier scans included. */
  get total(): NumberCount {
    const { source, column, known } = this;
    return { source, column, valid: known.valid + this.valid, failed: known.failed + this.failed };
  }

  get ids(): number {
    return this.areIds ? this.valid : 0;
  }
}

/** What a scan found so far: all of it counted, and the first thousand of each table or log, and of each column of bare numbers, kept. */
export class FoundCards<Finding> {
  private readonly sure = new Map<string, Kept<Finding>>();
  private readonly bare = new Map<string, BareNumbers<Finding>>();

  /** @param known bare numbers that earlier scans counted, where a scan does not read everything again */
  constructor(known: readonly NumberCount[] = []) {
    for (const { source, column, ...counts } of known) {
      this.bare.set(keyOf({ source, column }), new BareNumbers<Finding>(source, column, counts));
    }
  }

  /** @param count cards at that place that were not counted before; only those of bare numbers matter */
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

  /** Of one table or log, the first finding of each kind that is not kept. */
  firstFurtherOf(source: string): Finding[] {
    return this.ofSource(source).flatMap(({ firstFurther }) => firstFurther ?? []);
  }

  /** Findings of one table or log. */
  countOf(source: string): number {
    return this.ofSource(source).reduce((sum, { count }) => sum + count, 0);
  }

  /** Bare numbers of this scan and of those before, the column with the most first. */
  get numbers(): NumberCount[] {
    const size = ({ valid, failed }: NumberCount) => valid + failed;
    return [...this.bare.values()].map(({ total }) => total).toSorted((one, other) => size(other) - size(one));
  }

  /** Numbers in columns of ids, of this scan. */
  get ids(): number {
    return [...this.bare.values()].reduce((sum, { ids }) => sum + ids, 0);
  }

  private all(): Kept<Finding>[] {
    const bare = [...this.bare.values()].filter(({ areIds }) => !areIds);
    return [...this.sure.values(), ...bare.map(({ kept }) => kept)];
  }

  private ofSource(source: string): Kept<Finding>[] {
    const bare = [...this.bare.values()].filter((column) => column.source === source && !column.areIds);
    return [this.sure.get(source) ?? [], bare.map(({ kept }) => kept)].flat();
  }

  private bareOf({ source, column }: Omit<FoundPlace, 'row'>): BareNumbers<Finding> {
    const key = keyOf({ source, column });
    const numbers = this.bare.get(key) ?? new BareNumbers<Finding>(source, column);
    this.bare.set(key, numbers);
    return numbers;
  }
}

function keyOf({ source, column }: Omit<FoundPlace, 'row'>): string {
  return JSON.stringify([source, column]);
}
