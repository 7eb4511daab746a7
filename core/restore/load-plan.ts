import type { ClientBase } from 'pg';
import { qualified } from '../archive/copy-session';
import type { ArchivedPart, ArchivedTable } from '../archive/manifest';

/**
 * Rows from which a table is frozen, and its keys are built as soon as it is loaded. For fewer rows, the additional
 * statements cost as much as they save.
 */
const LARGE_ROWS = 5_000;
/** Share of a connection's even part of all bytes up to which a table is loaded by one connection, for freezing it. */
const FROZEN_SHARE = 1.25;

/** One object of a table, or all of them, which are then loaded in one transaction. */
export interface TableLoad {
  readonly table: ArchivedTable;
  readonly parts: readonly ArchivedPart[];
  /** Bytes of COPY text. */
  readonly bytes: number;
}

/** Something that is built from all rows of a table: an index, or a constraint with its index. */
export interface TableBuild {
  /** `"schema"."name"` of the table. */
  readonly table: string;
  /** Whether nothing else can be built on the table meanwhile. */
  readonly exclusive: boolean;
  build(writer: ClientBase): Promise<void>;
}

export type LoadStep = { readonly load: TableLoad } | { readonly build: TableBuild };

/** Whether a table has enough rows to be frozen, and for its keys to be built as soon as it is loaded. */
export function isLarge({ rows }: ArchivedTable): boolean {
  return rows >= LARGE_ROWS;
}

/** Whether one connection loads all of a table, and the table has enough rows to be worth freezing. */
export function isFrozen({ table, parts }: TableLoad): boolean {
  // A partitioned table has no rows of its own that could be frozen.
  return parts.length === table.parts.length && isLarge(table) && table.loadThrough === undefined;
}

/**
 * Divides the loading of tables among connections, the longest load first. A table is loaded as a whole unless it would
 * keep its connection busy long after the others have finished.
 */
export function planLoads(tables: readonly ArchivedTable[], connections: number): TableLoad[] {
  const evenBytes = tables.reduce((sum, { bytes }) => sum + bytes, 0) / connections;
  return tables
    .flatMap((table): TableLoad[] =>
      table.parts.length === 1 || table.bytes <= FROZEN_SHARE * evenBytes
        ? [{ table, parts: table.parts, bytes: table.bytes }]
        : table.parts.map((part) => ({ table, parts: [part], bytes: part.bytes })),
    )
    .toSorted((one, other) => other.bytes - one.bytes);
}

/**
 * Yields the steps of a restore in the order in which they begin: all loads, in their order, and then what is built from
 * the rows, once the table is loaded, that of the largest table first. Building begins while the last tables are still
 * loading. The indexes of a table follow each other, because PostgreSQL then lets them share one reading of it; a
 * constraint comes first, because it keeps every other connection away from its table.
 */
export class LoadPlan {
  private readonly partsLeft: Map<ArchivedTable, number>;
  /** What was not yielded yet, by table. */
  private readonly waiting: Map<string, TableBuild[]>;
  /** Loaded tables that have something waiting, the largest first. */
  private loaded: ArchivedTable[] = [];
  private readonly building = new Set<TableBuild>();
  private changed = Promise.withResolvers<void>();

  constructor(
    private readonly loads: readonly TableLoad[],
    builds: readonly TableBuild[],
  ) {
    this.partsLeft = new Map(loads.map(({ table }) => [table, table.parts.length]));
    const exclusiveFirst = builds.toSorted((one, other) => Number(other.exclusive) - Number(one.exclusive));
    this.waiting = Map.groupBy(exclusiveFirst, ({ table }) => table);
  }

  /** When all loads have begun and nothing can be built, the next step waits until something can. */
  async *steps(): AsyncGenerator<LoadStep, void> {
    for (const load of this.loads) yield { load };
    while (this.waiting.size > 0) {
      const build = this.takeBuild();
      if (build === undefined) await this.changed.promise;
      else yield { build };
    }
  }

  /** To be called when a load has finished: with the last part of a table, its keys may be built. */
  markLoaded({ table, parts }: TableLoad): void {
    const left = (this.partsLeft.get(table) ?? 0) - parts.length;
    this.partsLeft.set(table, left);
    if (left > 0 || !this.waiting.has(qualified(table))) return;
    this.loaded = [...this.loaded, table].toSorted((one, other) => other.bytes - one.bytes);
    this.announce();
  }

  /** To be called when something is built. */
  markBuilt(build: TableBuild): void {
    this.building.delete(build);
    this.announce();
  }

  private announce(): void {
    this.changed.resolve();
    this.changed = Promise.withResolvers();
  }

  private takeBuild(): TableBuild | undefined {
    for (const table of this.loaded.map((one) => qualified(one))) {
      const [next, ...others] = this.waiting.get(table) ?? [];
      const busy = [...this.building].filter((one) => one.table === table);
      if (next === undefined || busy.some(({ exclusive }) => exclusive || next.exclusive)) continue;
      if (others.length > 0) this.waiting.set(table, others);
      else this.waiting.delete(table);
      this.building.add(next);
      return next;
    }
    return undefined;
  }
}
