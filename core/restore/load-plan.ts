import { qualified } from '../archive/copy-session';
import type { ArchivedPart, ArchivedTable } from '../archive/manifest';
import type { DeferredIndex } from './indexes';

/**
 * Rows from which a table is frozen, and its indexes are built after it was loaded. For fewer rows, the additional
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

export type LoadStep = { readonly load: TableLoad } | { readonly index: DeferredIndex };

/** Whether a table has enough rows to be frozen, and for its indexes to be built after it was loaded. */
export function isLarge({ rows }: ArchivedTable): boolean {
  return rows >= LARGE_ROWS;
}

/** Whether one connection loads all of a table, and the table has enough rows to be worth freezing. */
export function isFrozen({ table, parts }: TableLoad): boolean {
  return parts.length === table.parts.length && isLarge(table);
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
 * Yields the steps of a restore in the order in which they begin: all loads, in their order, and then each index once
 * its table is loaded, those of the largest table first. Building begins while the last tables are still loading. The
 * indexes of a table follow each other, because PostgreSQL then lets them share one reading of it.
 */
export class LoadPlan {
  private readonly partsLeft: Map<ArchivedTable, number>;
  private readonly indexesOf: ReadonlyMap<string, readonly DeferredIndex[]>;
  /** Loaded tables whose indexes were not yielded yet, the largest first. */
  private loaded: ArchivedTable[] = [];
  private tableLoaded = Promise.withResolvers<void>();

  constructor(
    private readonly loads: readonly TableLoad[],
    indexes: readonly DeferredIndex[],
  ) {
    this.partsLeft = new Map(loads.map(({ table }) => [table, table.parts.length]));
    this.indexesOf = Map.groupBy(indexes, ({ schema, table }) => qualified({ schema, name: table }));
  }

  /** When all loads have begun and no loaded table has indexes left, the next step waits for a table to be loaded. */
  async *steps(): AsyncGenerator<LoadStep, void> {
    for (const load of this.loads) yield { load };
    while (this.loaded.length > 0 || this.partsLeft.size > 0) {
      const table = this.loaded.shift();
      if (table === undefined) await this.tableLoaded.promise;
      else for (const index of this.indexesOf.get(qualified(table)) ?? []) yield { index };
    }
  }

  /** To be called when a load has finished: with the last part of a table, its indexes may be built. */
  markLoaded({ table, parts }: TableLoad): void {
    const left = (this.partsLeft.get(table) ?? 0) - parts.length;
    this.partsLeft.set(table, left);
    if (left > 0) return;
    this.partsLeft.delete(table);
    this.loaded = [...this.loaded, table].toSorted((one, other) => other.bytes - one.bytes);
    this.tableLoaded.resolve();
    this.tableLoaded = Promise.withResolvers();
  }
}
