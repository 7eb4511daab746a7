import { type ClientBase, escapeIdentifier } from 'pg';
import { listTables } from '../../core/archive/catalog';
import { qualified } from '../../core/archive/copy-session';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { isOutOfTime, isUnreadable, limitStatement } from './checks';
import type { VerifyProblem, WarmPosition, WarmReport, WarmRequest } from './contract';

/**
 * Chunks read at once, each on a connection of its own. A disk that loads lazily answers many requests at once as fast
 * as one; the smallest instance has two cores, and more than this would only queue.
 */
const WORKERS = 4;
/** Pages of a chunk, 64 MiB. Smaller costs round trips; larger is more to read again when the time is up. */
const CHUNK_PAGES = 8192;
/** What the size of a chunk is divided by when a whole call was not enough for it. */
const SHRINK = 16;

export interface WarmDependencies {
  /** Server and credentials of the database. */
  readonly connector: DatabaseConnector;
  readonly now: () => Date;
  /** Milliseconds until the last statement must have ended. */
  readonly remainingMs: () => number;
}

/** A table or index, with the number of its pages. */
interface Relation {
  readonly kind: WarmPosition['kind'];
  readonly oid: number;
  /** `schema.name` */
  readonly name: string;
  readonly pages: number;
  /** Reads pages `from` up to, but without, `to`. */
  readonly read: (client: ClientBase, from: number, to: number) => Promise<unknown>;
}

interface Chunk {
  readonly relation: Relation;
  readonly from: number;
  readonly to: number;
}

type ChunkOutcome = 'read' | 'out-of-time' | { readonly unreadable: string };

/**
 * Reads the tables, and the indexes where the server has `pg_prewarm`, from where the call before stopped, until
 * everything is read or the time is up. Asking again from the same place reads the same pages again and does no harm.
 *
 * @throws OperationError `wrong_database`, or `database_unavailable` (retryable)
 */
export async function warmDatabase(
  { connector, now, remainingMs }: WarmDependencies,
  { targetDatabase, after }: Pick<WarmRequest, 'targetDatabase' | 'after'>,
): Promise<WarmReport> {
  const startedAt = now();
  return withConnections(connector, targetDatabase, async (clients) => {
    const [client] = clients as [ClientBase];
    await assertIdentity(client, connector.target.name);
    const tables = await tablesOf(client);
    const indexes = await indexesOf(client);
    const pageBytes = await pageSize(client);
    const walk = new Walk([...tables, ...(indexes ?? [])], after ?? undefined);
    const problems: VerifyProblem[] = [];
    const skipped: string[] = [];
    let pagesRead = 0;
    for (let first = true; walk.pagesLeft > 0 && remainingMs() > 0; first = false) {
      const chunks = walk.upcoming(WORKERS);
      const outcomes = await Promise.all(
        chunks.map((chunk, at) => readChunk(clients[at] ?? client, chunk, remainingMs())),
      );
      for (const [at, chunk] of chunks.entries()) {
        const outcome = outcomes[at];
        if (outcome === 'out-of-time') {
          // Later chunks may have been read, but the position is one, so they are read again.
          if (first && at === 0) skipped.push(...walk.shrink());
          break;
        }
        if (outcome === 'read') {
          pagesRead += chunk.to - chunk.from;
          walk.advance(chunk.relation, chunk.to);
          continue;
        }
        const message = `${chunk.relation.kind} ${chunk.relation.name} cannot be read: ${outcome?.unreadable ?? ''}`;
        problems.push({ check: 'tables', message: `${message.charAt(0).toUpperCase()}${message.slice(1)}` });
        walk.advance(chunk.relation, chunk.relation.pages);
        // The next chunks may be of the same relation.
        break;
      }
      if (outcomes.includes('out-of-time')) break;
    }
    return {
      database: connector.target.name,
      host: connector.target.host,
      targetDatabase: targetDatabase ?? connector.target.database,
      done: walk.pagesLeft === 0,
      next: walk.position,
      problems,
      skipped,
      indexes: indexes !== undefined,
      bytesRead: pagesRead * pageBytes,
      bytesLeft: walk.pagesLeft * pageBytes,
      durationMs: now().getTime() - startedAt.getTime(),
    };
  });
}

/** Goes through relations page by page: tables before indexes, each in the order of their object ids. */
class Walk {
  private remaining: Relation[];
  private page = 0;
  private chunkPages = CHUNK_PAGES;

  constructor(relations: readonly Relation[], after: WarmPosition | undefined) {
    const order = (relation: Pick<Relation, 'kind' | 'oid'>) =>
      [relation.kind === 'table' ? 0 : 1, relation.oid] as const;
    const compare = (a: readonly [number, number], b: readonly [number, number]) => a[0] - b[0] || a[1] - b[1];
    this.remaining = relations.filter(({ pages }) => pages > 0).toSorted((a, b) => compare(order(a), order(b)));
    if (after === undefined) return;
    this.remaining = this.remaining.filter((relation) => compare(order(relation), order(after)) >= 0);
    if (this.remaining[0]?.oid !== after.oid) return;
    this.chunkPages = after.pages;
    this.advance(this.remaining[0], after.page);
  }

  get pagesLeft(): number {
    return this.remaining.reduce((sum, { pages }) => sum + pages, 0) - this.page;
  }

  get position(): WarmPosition | null {
    const [relation] = this.remaining;
    return relation ? { kind: relation.kind, oid: relation.oid, page: this.page, pages: this.chunkPages } : null;
  }

  upcoming(count: number): Chunk[] {
    const chunks: Chunk[] = [];
    for (const [index, relation] of this.remaining.entries()) {
      for (let from = index === 0 ? this.page : 0; from < relation.pages; from += this.chunkPages) {
        if (chunks.length === count) return chunks;
        chunks.push({ relation, from, to: Math.min(from + this.chunkPages, relation.pages) });
      }
    }
    return chunks;
  }

  /** Everything before `page` of a relation is read. */
  advance(relation: Relation, page: number): void {
    const index = this.remaining.indexOf(relation);
    this.remaining = this.remaining.slice(page >= relation.pages ? index + 1 : index);
    if (page >= relation.pages) {
      this.page = 0;
      this.chunkPages = CHUNK_PAGES;
    } else this.page = page;
  }

  /** A whole call was not enough for the next chunk: makes it smaller, or leaves a single page out and names it. */
  shrink(): string[] {
    const [relation] = this.remaining;
    if (!relation) return [];
    if (this.chunkPages > 1) {
      this.chunkPages = Math.max(1, Math.floor(this.chunkPages / SHRINK));
      return [];
    }
    const name = `${relation.name} page ${this.page}`;
    this.advance(relation, this.page + 1);
    return [name];
  }
}

async function readChunk(client: ClientBase, chunk: Chunk, milliseconds: number): Promise<ChunkOutcome> {
  try {
    await limitStatement(client, milliseconds);
    await chunk.relation.read(client, chunk.from, chunk.to);
    return 'read';
  } catch (error) {
    if (isOutOfTime(error)) return 'out-of-time';
    if (isUnreadable(error)) return { unreadable: error.message };
    throw error;
  }
}

async function tablesOf(client: ClientBase): Promise<Relation[]> {
  return (await listTables(client)).map((table) => ({
    kind: 'table' as const,
    oid: table.oid,
    name: `${table.schema}.${table.name}`,
    pages: table.pages,
    // As text, so that values stored beside their pages are read and unpacked too. An alias that no column is called:
    // one called the same would be taken for the row.
    read: (reader, from, to) =>
      reader.query(
        `SELECT count(octet_length(whole_row::text)) FROM ONLY ${qualified(table)} AS whole_row
         WHERE ctid >= '(${from},0)' AND ctid < '(${to},0)'`,
      ),
  }));
}

/** The indexes of those tables; `undefined` when the server has no means to read one as a whole. */
async function indexesOf(client: ClientBase): Promise<Relation[] | undefined> {
  const extension = await client.query<{ schema: string }>(
    `SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_prewarm'`,
  );
  const schema = extension.rows[0]?.schema;
  if (schema === undefined) return undefined;
  const indexes = await client.query<Pick<Relation, 'oid' | 'name' | 'pages'>>(
    `SELECT c.oid::int8::float8 AS oid, n.nspname || '.' || c.relname AS name,
            (pg_relation_size(c.oid) / current_setting('block_size')::int)::float8 AS pages
     FROM pg_index i
     JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
     JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE i.indisvalid AND i.indrelid = ANY ($1::oid[])`,
    [(await listTables(client)).map(({ oid }) => oid)],
  );
  return indexes.rows.map((index) => ({
    ...index,
    kind: 'index' as const,
    read: (reader, from, to) =>
      reader.query(
        `SELECT ${escapeIdentifier(schema)}.pg_prewarm(${index.oid}::oid::regclass, 'buffer', 'main', ${from}, ${to - 1})`,
      ),
  }));
}

async function pageSize(client: ClientBase): Promise<number> {
  const size = await client.query<{ bytes: number }>(`SELECT current_setting('block_size')::int AS bytes`);
  return size.rows[0]?.bytes ?? 0;
}

/** Several connections that only read. */
async function withConnections<T>(
  connector: DatabaseConnector,
  database: string | undefined,
  work: (clients: readonly ClientBase[]) => Promise<T>,
  opened: readonly ClientBase[] = [],
): Promise<T> {
  if (opened.length === WORKERS) return work(opened);
  return withConnection(
    connector,
    async (client) => {
      await client.query('SET default_transaction_read_only = on');
      return withConnections(connector, database, work, [...opened, client]);
    },
    database,
  );
}
