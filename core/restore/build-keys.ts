import { type ClientBase, DatabaseError } from 'pg';
import { qualified } from '../archive/copy-session';
import type { ArchivedTable } from '../archive/manifest';
import { runConcurrently } from '../runtime/run-concurrently';
import type { Deviations } from '../schema/apply/deviations';
import { prepareForEntries } from '../schema/apply/restore-schema';
import { runEntries } from '../schema/apply/run-entries';
import type { DumpEntry, DumpText } from '../schema/text/dump-text';
import { indexedTable, splitForeignKey } from '../schema/text/keys';
import { isLarge, type TableBuild } from './load-plan';

/**
 * Size of a table from which PostgreSQL builds an index with parallel workers, instead of 8 MB. The connections build
 * indexes at the same time, so that starting workers for smaller tables costs a tenth of the time.
 */
const PARALLEL_FROM = '1GB';
/** Classes of SQLSTATE of rows that break a key, and of a server that goes away: another attempt would fail as well. */
const FINAL = /^(?:08|23|53|57)/;

/**
 * Makes the keys of a database on several connections. Only large tables are worth that: their indexes are built as soon as
 * they are loaded, and their foreign keys are checked at the same time. Everything else is made in the order of the archive.
 */
export class KeyBuilder {
  /** What can be built while other tables are being loaded. */
  readonly builds: readonly TableBuild[];
  private readonly large: ReadonlySet<string>;
  private readonly built = new Set<DumpEntry>();
  private readonly prepared = new WeakSet<ClientBase>();

  constructor(
    private readonly after: DumpText,
    tables: readonly ArchivedTable[],
    private readonly deviations: Deviations,
  ) {
    this.large = new Set(tables.filter(isLarge).map((table) => qualified(table)));
    this.builds = after.entries.flatMap((entry) => {
      const table = indexedTable(entry);
      if (table === undefined || !this.large.has(table)) return [];
      const build = (writer: ClientBase) => this.buildAhead(writer, entry);
      return [{ table, exclusive: entry.type === 'CONSTRAINT', build }];
    });
  }

  /**
   * Makes the keys that are not built yet, and has every row checked against foreign keys.
   *
   * @param keys entries in the order of the archive
   * @throws OperationError as {@link runEntries} does
   */
  async finish(client: ClientBase, writers: readonly ClientBase[], keys: readonly DumpEntry[]): Promise<void> {
    const checks: DumpEntry[] = [];
    const entries = keys
      .filter((entry) => !this.built.has(entry))
      .map((entry) => {
        const split = splitForeignKey(entry);
        if (!split || !this.large.has(split.table)) return entry;
        checks.push(split.check);
        return split.unchecked;
      });
    await runEntries(client, entries, this.deviations);
    await runConcurrently(checks, writers, async (check, writer) => {
      await this.prepare(writer);
      await runEntries(writer, [check], this.deviations);
    });
  }

  /** An entry that depends on a later stage, such as on a function that reads a view, waits for its turn. */
  private async buildAhead(writer: ClientBase, entry: DumpEntry): Promise<void> {
    await this.prepare(writer);
    try {
      await writer.query(entry.statements.join('\n'));
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      if (!FINAL.test(error.code ?? '')) return;
      // Once more, for an error in terms of the archive.
      await runEntries(writer, [entry], this.deviations);
    }
    this.built.add(entry);
  }

  private async prepare(writer: ClientBase): Promise<void> {
    if (this.prepared.has(writer)) return;
    await prepareForEntries(writer, this.after);
    await writer.query(`SET min_parallel_table_scan_size = '${PARALLEL_FROM}'`);
    this.prepared.add(writer);
  }
}
