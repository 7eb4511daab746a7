import { setTimeout as sleep } from 'node:timers/promises';
import { Client, DatabaseError, escapeIdentifier } from 'pg';
import * as z from 'zod';
import type { DatabaseManagement, DatabaseName } from '../contract';
import { OperationError, messageOf } from '../runtime/errors';
import { explainLockTimeout } from './lock-timeout';
import { concerns, NO_WRITES, type Place, secretMove } from './moved';
import { prepareSession } from './session';
import type { Secrets, SecretVersion } from '../runtime/secrets';

/**
 * SQLSTATEs of a rejected login: the secret was rotated after it was read, or is being rotated. RDS Proxy answers the second for a
 * user of whom it has no secret, such as the one of a pair that is no longer, or not yet, the current one.
 */
const REJECTED_LOGIN = new Set(['28P01', '28000']);
/**
 * Versions of the secret, in the order of the attempts; the pending one may have become current when it is read. The previous one
 * is good where users alternate: for a proxy that has not seen a rotation, and an instance that was restored from before it.
 */
const VERSIONS: readonly SecretVersion[] = ['cached', 'current', 'pending', 'current', 'previous'];
/** Versions that a secret may not have. The rejection is the error to report then. */
const OPTIONAL = new Set<SecretVersion>(['pending', 'previous']);
const CONNECT_TIMEOUT_MS = 10_000;
/**
 * How long a new connection waits for the end of a cut-over to another server, which pauses writes for seconds. Less fails
 * requests of a slow one; more outlives the 30 s of the processor and of API Gateway.
 */
const MOVING_WAIT_MS = 20_000;
const MOVING_POLL_MS = 250;

/** Connections that the server or the network ended. */
const lostClients = new WeakSet<Client>();

/** Whether the server or the network ended a connection of a {@link DatabaseConnector}, and not its own caller. */
export function wasLost(client: Client): boolean {
  return lostClients.has(client);
}

const credentials = z.object({
  username: z.string({ error: 'expected the user name' }).min(1),
  password: z.string({ error: 'expected the password' }).min(1),
  move: secretMove.optional(),
});
type Credentials = z.infer<typeof credentials>;

/** Connections to a server that said, as they were opened, that their transactions only read. */
const refusesWrites = new WeakSet<Client>();

/**
 * PostgreSQL reports `default_transaction_read_only` to each new session, at no cost: by it a server says that its database
 * moved. The driver hands the report on but does not type it.
 */
function watchWrites(client: Client): void {
  const { connection } = client as unknown as {
    readonly connection: NodeJS.EventEmitter;
  };
  connection.on('parameterStatus', (report: { readonly parameterName: string; readonly parameterValue: string }) => {
    if (report.parameterName !== 'default_transaction_read_only') return;
    if (report.parameterValue === 'on') refusesWrites.add(client);
    else refusesWrites.delete(client);
  });
}

/** Where a target is by its secret, and as whom to log in there. */
function placeOf({ host, port, database }: DatabaseTarget, { username, password, move }: Credentials): Place {
  return concerns(move, { host, port }) && move.to ? move.to : { host, port, database, username, password };
}

/** Where a database is and which secret opens it. */
export interface DatabaseTarget {
  readonly name: DatabaseName;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly secretArn: string;
  /** Who makes its tables. @default here */
  readonly managed?: DatabaseManagement;
}

/** The target that the variables of {@link BillingDatabaseEnvironment} describe. */
export function billingTarget(environment: {
  BILLING_DATABASE_HOST: string;
  BILLING_DATABASE_PORT: number;
  BILLING_DATABASE_NAME: string;
  BILLING_DATABASE_SECRET_ARN: string;
}): DatabaseTarget {
  return {
    name: 'billing',
    host: environment.BILLING_DATABASE_HOST,
    port: environment.BILLING_DATABASE_PORT,
    database: environment.BILLING_DATABASE_NAME,
    secretArn: environment.BILLING_DATABASE_SECRET_ARN,
  };
}

/** The target that the variables of {@link MainDatabaseEnvironment} describe. */
export function mainTarget(environment: {
  MAIN_DATABASE_HOST: string;
  MAIN_DATABASE_PORT: number;
  MAIN_DATABASE_NAME: string;
  MAIN_DATABASE_SECRET_ARN: string;
  MAIN_DATABASE_MANAGED: DatabaseManagement;
}): DatabaseTarget {
  return {
    name: 'main',
    host: environment.MAIN_DATABASE_HOST,
    port: environment.MAIN_DATABASE_PORT,
    database: environment.MAIN_DATABASE_NAME,
    secretArn: environment.MAIN_DATABASE_SECRET_ARN,
    managed: environment.MAIN_DATABASE_MANAGED,
  };
}

/** A target on another server, or another port, with the same credentials. */
export function targetAt(
  target: DatabaseTarget,
  { host = target.host, port = target.port }: { readonly host?: string; readonly port?: number },
): DatabaseTarget {
  return { ...target, host, port };
}

export interface ConnectorOptions {
  /**
   * Sets off what role and database set for their sessions, before anything else. For work on whole databases, which such
   * settings end, or whose values they spell otherwise.
   *
   * @default false
   */
  readonly plainSession?: boolean;
  /**
   * Role that sessions take from their start, which the user of the secret has to be a member of.
   *
   * @default - the user of the secret
   */
  readonly role?: string;
  /** Milliseconds after which PostgreSQL cancels a statement. @default - the setting of the server */
  readonly statementTimeoutMs?: number;
  /** `false`: PostgreSQL never compiles a statement, which takes seconds for a long one. @default - the setting of the server */
  readonly jit?: false;
}

/** Opens connections to one server. */
export interface DatabaseConnector {
  readonly target: DatabaseTarget;
  /**
   * A new connection, over TLS with a verified certificate. The caller ends it.
   *
   * @param database another database on the same server; @default the target's
   * @param version of the secret to begin with: `current` after a connection was lost, since the database may have moved
   * @throws OperationError `database_unavailable` (retryable), naming server and database, never the credentials
   */
  connect(database?: string, version?: 'cached' | 'current'): Promise<Client>;
}

/**
 * Reads the credentials for each connection, so that a rotated password is picked up without a restart. A rejected password
 * was rotated a moment ago or is being rotated: the current one is tried next and, when that is the rejected one, the pending
 * one, and the one before. So no connection fails while a single user's password changes, or while two users take turns.
 *
 * A database that moved to another server is found by its secret. One that refuses writes may have moved since the secret was
 * read, or be about to: the secret is read again, and while it says so the connection waits.
 */
export function createConnector(
  target: DatabaseTarget,
  secrets: Secrets,
  applicationName: string,
  { plainSession = false, role, statementTimeoutMs, jit }: ConnectorOptions = {},
): DatabaseConnector {
  /*
   * As statements, since RDS Proxy and PgBouncer refuse startup parameters that they do not know, or `options`. RDS Proxy pins
   * a session that set something to its connection, and PgBouncer has to pool by session.
   */
  const settings = [
    ...(role === undefined ? [] : [`SET ROLE ${escapeIdentifier(role)}`]),
    ...(statementTimeoutMs === undefined ? [] : [`SET statement_timeout = ${statementTimeoutMs}`]),
    ...(jit === undefined ? [] : ['SET jit = off']),
  ].join('; ');

  async function open(database: string, first: 'cached' | 'current'): Promise<Client> {
    const rejected = new Set<string>();
    let rejection: unknown;
    for (const version of first === 'current' ? VERSIONS.slice(1) : VERSIONS) {
      const found = await secrets.read(target.secretArn, credentials, version).catch((error: unknown) => {
        if (OPTIONAL.has(version)) return undefined;
        throw error;
      });
      if (found === undefined || rejected.has(found.password)) continue;
      try {
        const client = await openAs(database, found);
        return refusesWrites.has(client) ? await whereWritesGo(client, database) : client;
      } catch (error) {
        if (!(error instanceof DatabaseError) || !REJECTED_LOGIN.has(error.code ?? '')) throw error;
        rejected.add(found.password);
        rejection = error;
      }
    }
    throw rejection;
  }

  /** The connection itself where refusing writes is its rule, as for logins that only read; else one to where the database moved. */
  async function whereWritesGo(client: Client, database: string): Promise<Client> {
    const deadline = performance.now() + MOVING_WAIT_MS;
    for (let latest = client; refusesWrites.has(latest);) {
      const found = await secrets.read(target.secretArn, credentials, 'current').catch(async (error: unknown) => {
        await latest.end().catch(() => undefined);
        throw error;
      });
      const isMoving = concerns(found.move, target) && found.move.state === 'moving';
      if (!isMoving && isAt(latest, placeOf(target, found), database)) return latest;
      await latest.end().catch(() => undefined);
      if (isMoving && performance.now() > deadline) {
        throw new OperationError('database_unavailable', `${target.database} is being moved to another server`);
      }
      if (isMoving) await sleep(MOVING_POLL_MS);
      latest = await openAs(database, found);
      if (!refusesWrites.has(latest)) return latest;
    }
    return client;
  }

  async function openAs(database: string, found: Credentials): Promise<Client> {
    const place = placeOf(target, found);
    const { host, port, username, password } = place;
    const client = new Client({
      host,
      port,
      database: nameAt(place, database),
      user: username,
      password,
      application_name: applicationName,
      ssl: { rejectUnauthorized: true },
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
    });
    // A connection lost between two statements fails the next statement; without a listener it would end the process.
    client.on('error', () => lostClients.add(client));
    watchWrites(client);
    await client.connect();
    if (settings !== '') {
      try {
        await client.query(settings);
      } catch (error) {
        await client.end().catch(() => undefined);
        throw error;
      }
    }
    return client;
  }

  /** Another database of the server keeps its name. */
  const nameAt = (place: Place, database: string): string => (database === target.database ? place.database : database);
  const isAt = ({ host, port, database: name }: Client, place: Place, database: string): boolean =>
    host === place.host && port === place.port && name === nameAt(place, database);

  return {
    target,
    async connect(database = target.database, version = 'cached') {
      try {
        const client = await open(database, version);
        try {
          if (plainSession) await prepareSession(client, 0);
        } catch (error) {
          await client.end().catch(() => undefined);
          throw error;
        }
        return client;
      } catch (cause) {
        if (cause instanceof OperationError) throw cause;
        throw new OperationError(
          'database_unavailable',
          `Cannot connect to database ${database} at ${target.host}:${target.port}: ${messageOf(cause)}`,
          { cause },
        );
      }
    },
  };
}

/** SQLSTATE of a statement whose session the server ended, because it shuts down or was told to. */
const SESSION_ENDED = /^57P0[123]$/;
/** What the driver says of a connection that the server or the network ended. It has no class or code of its own for it. */
const CONNECTION_LOST = /^(?:Client has encountered a connection error|Connection terminated unexpectedly)/;

/**
 * The error of work with a connection: the loss of the connection as one that may be retried, and the refusal of a write while the
 * database moves to another server, where the next connection goes. Others as they are.
 */
export function explainConnectionLoss(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  if (cause instanceof DatabaseError && cause.message.endsWith(NO_WRITES)) {
    return new OperationError(
      'database_unavailable',
      `A write was refused: ${cause.message}. The database is being moved, or has moved, to another server: repeat the request, and check the address if it is refused again`,
      { cause },
    );
  }
  const isLost =
    cause instanceof DatabaseError ? SESSION_ENDED.test(cause.code ?? '') : CONNECTION_LOST.test(cause.message);
  if (!isLost) return cause;
  return new OperationError('database_unavailable', `The connection to the database was lost: ${cause.message}`, {
    cause,
  });
}

/**
 * Runs `work` with a new connection, which is always ended.
 *
 * @throws OperationError `database_unavailable` (retryable) when there is no connection, or it is lost; `database_busy` (retryable) when
 * another session kept a lock; or what `work` throws
 */
export async function withConnection<T>(
  connector: DatabaseConnector,
  work: (client: Client) => Promise<T>,
  database?: string,
): Promise<T> {
  const client = await connector.connect(database);
  try {
    return await work(client);
  } catch (error) {
    throw explainConnectionLoss(await explainLockTimeout(error, client));
  } finally {
    await client.end().catch(() => undefined);
  }
}
