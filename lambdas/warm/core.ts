import type { ClientBase } from 'pg';
import { withConnections } from '../../core/database/connections';
import type { DatabaseConnector } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { explainUnknownDatabase } from '../../core/database/unknown-database';
import { isCorruption, isStatementTimeout, limitStatements } from '../../core/database/statement-failures';
import type { UnreadableRelation, WarmReport, WarmRequest } from './contract';
import { type Chunk, PageCursor } from './page-cursor';
import { listRelations } from './relations';

/**
 * Chunks read at once, each on a connection of its own. A disk that loads lazily answers many requests at once as fast
 * as one; the smallest instance has two cores, and more connections than this would only queue.
 */
const CONNECTIONS = 4;

export interface WarmDependencies {
  /** Server and credentials of the database. */
  readonly connector: DatabaseConnector;
  readonly clock: () => Date;
  /** Milliseconds until the last statement must have ended. */
  readonly remainingMs: () => number;
}

type ChunkOutcome = 'read' | 'out-of-time' | { readonly unreadable: string };

/** What a call has read so far. */
interface Progress {
  pagesRead: number;
  readonly unreadable: UnreadableRelation[];
  readonly skippedPages: string[];
}

/**
 * Reads the tables, and the indexes where the server has `pg_prewarm`, from where the previous call stopped, until
 * everything is read or the time is up. The database is only read. A repeated call reads the same pages again, which
 * does no harm.
 *
 * @throws OperationError `wrong_database`, also when the server has no database of the name `targetDatabase`, or `database_unavailable` (retryable)
 */
export async function warmDatabase(
  { connector, clock, remainingMs }: WarmDependencies,
  { targetDatabase, continueFrom }: Pick<WarmRequest, 'targetDatabase' | 'continueFrom'>,
): Promise<WarmReport> {
  const startedAt = clock();
  const options = { count: CONNECTIONS, database: targetDatabase, prepare: setReadOnly };
  return withConnections(connector, options, async (clients) => {
    const client = clients[0] as ClientBase;
    await assertIdentity(client, connector.target.name);
    const { relations, includesIndexes } = await listRelations(client);
    const pageBytes = await readPageBytes(client);
    const cursor = new PageCursor(relations, continueFrom ?? undefined);
    const progress = await readUntilTimeIsUp(clients, cursor, remainingMs);
    return {
      database: connector.target.name,
      host: connector.target.host,
      targetDatabase: targetDatabase ?? connector.target.database,
      done: cursor.pagesLeft === 0,
      continueFrom: cursor.position,
      unreadable: progress.unreadable,
      skippedPages: progress.skippedPages,
      includesIndexes,
      bytesRead: progress.pagesRead * pageBytes,
      bytesLeft: cursor.pagesLeft * pageBytes,
      durationMs: clock().getTime() - startedAt.getTime(),
    };
  }).catch(async (error: unknown) => {
    throw await explainUnknownDatabase(error, connector, { field: 'targetDatabase', name: targetDatabase });
  });
}

/** Reads chunk by chunk, one on each connection at a time. */
async function readUntilTimeIsUp(
  clients: readonly ClientBase[],
  cursor: PageCursor,
  remainingMs: () => number,
): Promise<Progress> {
  const progress: Progress = { pagesRead: 0, unreadable: [], skippedPages: [] };
  while (cursor.pagesLeft > 0 && remainingMs() > 0) {
    const limitMs = remainingMs();
    const chunks = cursor.nextChunks(clients.length);
    const reads = chunks.map((chunk, at) => readChunk(clients[at] as ClientBase, chunk, limitMs));
    const outcomes = await Promise.all(reads);
    const hadWholeCall = progress.pagesRead === 0 && progress.unreadable.length === 0;
    moveCursor(cursor, chunks, outcomes, progress);
    if (!outcomes.includes('out-of-time')) continue;
    if (outcomes[0] === 'out-of-time' && hadWholeCall) {
      const skipped = cursor.shrink();
      if (skipped !== undefined) progress.skippedPages.push(skipped);
    }
    break;
  }
  return progress;
}

/**
 * Moves past the chunks that were read, up to the first that was not: the cursor has one position, so chunks behind that
 * one are read again. An unreadable chunk ends its relation.
 */
function moveCursor(
  cursor: PageCursor,
  chunks: readonly Chunk[],
  outcomes: readonly ChunkOutcome[],
  progress: Progress,
): void {
  for (const [at, { relation, from, to }] of chunks.entries()) {
    const outcome = outcomes[at];
    if (outcome === undefined || outcome === 'out-of-time') return;
    if (outcome !== 'read') {
      const { kind, name } = relation;
      progress.unreadable.push({ kind, name, message: outcome.unreadable });
      cursor.advance(relation, relation.pages);
      return;
    }
    progress.pagesRead += to - from;
    cursor.advance(relation, to);
  }
}

async function readChunk(client: ClientBase, { relation, from, to }: Chunk, limitMs: number): Promise<ChunkOutcome> {
  try {
    await limitStatements(client, limitMs);
    await relation.read(client, from, to);
    return 'read';
  } catch (error) {
    if (isStatementTimeout(error)) return 'out-of-time';
    if (isCorruption(error)) return { unreadable: error.message };
    throw error;
  }
}

async function readPageBytes(client: ClientBase): Promise<number> {
  const size = await client.query<{ bytes: number }>(`SELECT current_setting('block_size')::int AS bytes`);
  return size.rows[0]?.bytes ?? 0;
}

async function setReadOnly(client: ClientBase): Promise<void> {
  await client.query('SET default_transaction_read_only = on');
}
