import type { Client, ClientBase } from 'pg';
import type { FunctionLogin } from '../../core/access/contract';
import { type DatabaseConnector, type DatabaseTarget, explainConnectionLoss } from '../../core/database/connector';
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
  /** Undefined where the database is still missing, or its server does not answer. */
  readonly client: Client | undefined;
  /** Why there is no connection to its server. */
  readonly unreachable?: OperationError | undefined;
}

/** A side with an open connection. */
export type Connected = Side & { readonly client: Client };

export function nameOf({ host, port, database }: DatabaseTarget): string {
  return `${host}:${port}/${database}`;
}

/**
 * Connects to both servers and finds out which is the source: the one that a record says, or else the configured one. Once the
 * configuration names the new server, the old one is the other. One of them may not answer: a step that needs it says so, and what
 * can be done without it.
 *
 * @throws OperationError `move_out_of_order` where an open move is between other servers than those of the configuration;
 * `database_unavailable` where neither answers, or the one that does knows of no move
 */
export async function withServers<T>(
  { configured, other }: MoveDependencies,
  work: (servers: Servers) => Promise<T>,
): Promise<T> {
  const first = await sideOf(configured);
  const second = await sideOf(other);
  try {
    const ofFirst = first.client && (await openMove(first.client));
    const ofSecond = second.client && (await openMove(second.client));
    if (first.client === undefined && ofSecond === undefined) throw withoutRecord(first, second);
    const turned = isTurned(ofFirst, ofSecond, { first, second });
    const [source, target] = turned ? [second, first] : [first, second];
    const [ofSource, ofTarget] = turned ? [ofSecond, ofFirst] : [ofFirst, ofSecond];
    // The end that the new server recorded while the old one did not answer is one.
    const move =
      ofSource === undefined || (ofTarget?.id === ofSource.id && ofTarget.stage === 'finished') ? ofTarget : ofSource;
    assertSame(move, source, target);
    return await work({ source, target, move, isConfigured: turned });
  } catch (error) {
    throw explainLoss(error);
  } finally {
    for (const { client } of [first, second]) await client?.end().catch(() => undefined);
  }
}

/** Whether the configured server is the new one. The record of the source decides, and its copy where the source does not answer. */
function isTurned(
  ofFirst: Move | undefined,
  ofSecond: Move | undefined,
  { first, second }: { readonly first: Side; readonly second: Side },
): boolean {
  if (ofFirst?.role === 'source') return false;
  if (ofSecond?.role === 'source') return true;
  return second.unreachable !== undefined && ofFirst?.target === first.name;
}

/** A step that loses a connection may have done a part of its work. */
function explainLoss(error: unknown): unknown {
  const cause = explainConnectionLoss(error);
  if (cause === error || !(cause instanceof OperationError)) return cause;
  return new OperationError(
    cause.code,
    `${cause.message}. ops move plan says how far the move is, and what comes next`,
    {
      cause: error,
    },
  );
}

/** The configured server does not answer, and no other knows of a move that went on without it. */
function withoutRecord(first: Side, second: Side): OperationError {
  if (first.unreachable === undefined) return missing(first);
  const other = second.unreachable
    ? `${second.name} does not answer either. Bring them back`
    : `${second.name} has not taken over: billing is on ${first.name}. Bring it back`;
  const message = `${first.name} does not answer, and ${other}; then ops move plan says what comes next. ${first.unreachable.message}`;
  return new OperationError('database_unavailable', message, { cause: first.unreachable });
}

const missing = ({ name }: Side) =>
  new OperationError(
    'move_not_ready',
    `${name} does not exist: check host and database name in the configuration, then ops move plan says what comes next`,
  );

/** @throws OperationError `move_not_ready` where the database is missing; `database_unavailable` where its server does not answer */
export function connected(side: Side): Connected {
  const { client, unreachable } = side;
  if (unreachable) {
    const message = `${side.name} does not answer, and this step needs it. ops move plan says what can be done without it. ${unreachable.message}`;
    throw new OperationError('database_unavailable', message, { cause: unreachable });
  }
  if (client === undefined) throw missing(side);
  return { ...side, client };
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

/** A connection to a server, where there can be one. The new database is made by the first step: until then there is none. */
async function sideOf(connector: DatabaseConnector): Promise<Side> {
  const side = { connector, name: nameOf(connector.target) };
  try {
    return { ...side, client: await connector.connect() };
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    if ((error.cause as { readonly code?: string } | undefined)?.code === MISSING_DATABASE)
      return { ...side, client: undefined };
    return { ...side, client: undefined, unreachable: error };
  }
}

/** One value of one row. */
export async function valueOf<T>(client: ClientBase, sql: string, values: unknown[] = []): Promise<T | undefined> {
  const { rows } = await client.query<{ value: T }>(sql, values);
  return rows[0]?.value;
}
