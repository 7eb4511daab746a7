import type { Client, ClientBase } from 'pg';
import type { FunctionLogin } from '../../core/access/contract';
import { type DatabaseConnector, type DatabaseTarget, withConnection } from '../../core/database/connector';
import { OperationError } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import { isOpen, openMove, type Move } from './record';
import type { SecretStore } from './secret-store';

/** What every step works with. */
export interface MoveDependencies {
  /** The server of the configuration, and the other one; each as the administrator of its secret, never redirected. */
  readonly configured: DatabaseConnector;
  readonly other: DatabaseConnector;
  /** Addresses by which functions reach the configured server. */
  readonly from: readonly string[];
  /** Secrets of the logins of functions. */
  readonly loginSecrets: Readonly<Partial<Record<FunctionLogin, string>>>;
  readonly secrets: SecretStore;
  readonly clock: () => Date;
  readonly log: Log;
  readonly remainingMs: () => number;
  /** @default beside the running bundle */
  readonly pgDumpWorker?: string;
}

/** Both servers of a move, with a connection to each. */
export interface Servers {
  readonly source: Side;
  readonly target: Side;
  /** Undefined before the first step. */
  readonly move: Move | undefined;
  /** Whether the configuration names the target already. */
  readonly isConfigured: boolean;
}

export interface Side {
  readonly connector: DatabaseConnector;
  /** `host:port/database`. */
  readonly name: string;
  /** Undefined where the database is still missing. */
  readonly client: Client | undefined;
}

export function nameOf({ host, port, database }: DatabaseTarget): string {
  return `${host}:${port}/${database}`;
}

/**
 * Connects to both servers and finds out which is the source: the one that a record says, or else the configured one. Once the
 * configuration names the new server, the old one is the other.
 *
 * @throws OperationError `move_out_of_order` where an open move is between other servers than those of the configuration
 */
export async function withServers<T>(
  { configured, other }: MoveDependencies,
  work: (servers: Servers) => Promise<T>,
): Promise<T> {
  return withConnection(configured, async (first) =>
    withMaybe(other, async (second) => {
      const moves = [await openMove(first), second && (await openMove(second))];
      const [ofFirst, ofSecond] = moves;
      const turned = ofSecond?.role === 'source' && ofFirst?.role !== 'source';
      const sides: readonly [Side, Side] = [
        { connector: configured, name: nameOf(configured.target), client: first },
        { connector: other, name: nameOf(other.target), client: second },
      ];
      const [source, target] = turned ? [sides[1], sides[0]] : sides;
      const move = turned ? ofSecond : ofFirst;
      assertSame(move, source, target);
      return work({ source, target, move, isConfigured: turned });
    }),
  );
}

/** A setting that was changed meanwhile would make a step work on a server that the move knows nothing of. */
function assertSame(move: Move | undefined, source: Side, target: Side): void {
  if (!isOpen(move) || (move.source === source.name && move.target === target.name)) return;
  throw new OperationError(
    'move_out_of_order',
    `The open move is from ${move.source} to ${move.target}, but the configuration names ${source.name} and ${target.name}: name the servers of the move in databases.billing and databases.billing.move, and deploy. Nothing was changed`,
  );
}

const MISSING_DATABASE = '3D000';

/** The new database is made by the first step: until then there is none to connect to. */
async function withMaybe<T>(
  connector: DatabaseConnector,
  work: (client: Client | undefined) => Promise<T>,
): Promise<T> {
  let client: Client | undefined;
  try {
    client = await connector.connect();
  } catch (error) {
    const { cause } = error as { readonly cause?: { readonly code?: string } };
    if (cause?.code !== MISSING_DATABASE) throw error;
  }
  try {
    return await work(client);
  } finally {
    await client?.end().catch(() => undefined);
  }
}

/** One value of one row. */
export async function valueOf<T>(client: ClientBase, sql: string, values: unknown[] = []): Promise<T | undefined> {
  const { rows } = await client.query<{ value: T }>(sql, values);
  return rows[0]?.value;
}
