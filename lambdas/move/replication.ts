import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import { qualified } from '../../core/archive/copy-session';
import { OperationError } from '../../core/runtime/errors';
import { type Connected, valueOf } from './servers';
import { BEATS, replicatedTables } from './tables';

/** Role that one server logs in to the other as. */
export const REPLICATOR = 'billing_move';
/** One name for the publication of a server, and for slot and subscription of the other. */
export const FORWARD = 'billing_move_forward';
export const BACK = 'billing_move_back';
export type Direction = typeof FORWARD | typeof BACK;

/** How long a row may take to arrive while writes wait for it. */
const BEAT_TIMEOUT_MS = 20_000;
const BEAT_POLL_MS = 20;

/** Limits that a platform sets for sessions, and that the copy of a large table would meet. The last is of PostgreSQL 17. */
const LIMITS = ['statement_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout', 'transaction_timeout'];

/**
 * Makes the role of replication, which reads every table and does nothing else, and keeps the password of one that is there. On
 * RDS a membership stands for the attribute REPLICATION.
 */
export async function ensureReplicator({ client }: Connected): Promise<void> {
  const role = escapeIdentifier(REPLICATOR);
  const exists = await valueOf<boolean>(client, 'SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS value', [
    REPLICATOR,
  ]);
  if (!exists) await client.query(`CREATE ROLE ${role} NOLOGIN`);
  const isRds = await valueOf<boolean>(
    client,
    `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication') AS value`,
  );
  await client.query(
    isRds ? `GRANT rds_replication TO ${role}; ALTER ROLE ${role} LOGIN` : `ALTER ROLE ${role} LOGIN REPLICATION`,
  );
  const { rows } = await client.query<{ name: string }>('SELECT name FROM pg_settings WHERE name = ANY ($1)', [LIMITS]);
  for (const { name } of rows) await client.query(`ALTER ROLE ${role} SET ${name} = 0`);
}

/** Lets the role of replication read what is replicated. Made before the schema is compared, on both servers alike. */
export async function grantReading({ client, connector }: Connected): Promise<void> {
  const role = escapeIdentifier(REPLICATOR);
  const tables = await replicatedTables(client);
  const schemas = [...new Set(tables.map(({ schema }) => escapeIdentifier(schema)))];
  await client.query(
    [
      `GRANT CONNECT ON DATABASE ${escapeIdentifier(connector.target.database)} TO ${role}`,
      ...(schemas.length > 0 ? [`GRANT USAGE ON SCHEMA ${schemas.join(', ')} TO ${role}`] : []),
      ...(tables.length > 0 ? [`GRANT SELECT ON ${tables.map(qualified).join(', ')} TO ${role}`] : []),
    ].join('; '),
  );
}

/** Removes the role with all of its privileges. */
export async function dropReplicator({ client }: Connected): Promise<void> {
  const role = escapeIdentifier(REPLICATOR);
  const known = await valueOf<boolean>(client, 'SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS value', [
    REPLICATOR,
  ]);
  if (!known) return;
  // Who may drop what a role owns is a member of it.
  await client.query(`GRANT ${role} TO CURRENT_USER WITH INHERIT TRUE`);
  await client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
}

/** Publishes the tables of a server, each by its name: only a superuser may publish all that are and will be. */
export async function publish({ client }: Connected, direction: Direction): Promise<void> {
  const exists = await valueOf<boolean>(
    client,
    'SELECT EXISTS (SELECT FROM pg_publication WHERE pubname = $1) AS value',
    [direction],
  );
  if (exists) return;
  const tables = (await replicatedTables(client)).map(qualified);
  await client.query(`CREATE PUBLICATION ${direction} FOR TABLE ${tables.join(', ')}`);
}

export async function unpublish({ client }: Connected, direction: Direction): Promise<void> {
  await client.query(`DROP PUBLICATION IF EXISTS ${direction}`);
}

export async function isSubscribed({ client }: Connected, direction: Direction): Promise<boolean> {
  const found = await valueOf<boolean>(
    client,
    `SELECT EXISTS (SELECT FROM pg_subscription
       WHERE subname = $1 AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())) AS value`,
    [direction],
  );
  return found ?? false;
}

/** Ends a subscription without asking the other server, which keeps the slot. */
export async function dropSubscription(to: Connected, direction: Direction): Promise<void> {
  if (!(await isSubscribed(to, direction))) return;
  await to.client.query(`ALTER SUBSCRIPTION ${direction} DISABLE`);
  await to.client.query(`ALTER SUBSCRIPTION ${direction} SET (slot_name = NONE)`);
  await to.client.query(`DROP SUBSCRIPTION ${direction}`);
}

/**
 * Leaves at a publication which server subscribes to it: its identifier is part of the names of the slots that it makes. Every role
 * may read it unless a superuser revoked that; {@link abandonSlots} then names slots in place of dropping them.
 */
export async function nameSubscriber(from: Connected, to: Connected, direction: Direction): Promise<void> {
  const mayRead = await valueOf<boolean>(
    to.client,
    `SELECT has_function_privilege('pg_control_system()', 'EXECUTE') AS value`,
  );
  const id = mayRead
    ? await valueOf<string>(to.client, 'SELECT system_identifier::text AS value FROM pg_control_system()')
    : undefined;
  await from.client.query(`COMMENT ON PUBLICATION ${direction} IS ${escapeLiteral(id ?? '')}`);
}

/**
 * Drops the slots that a server keeps for another which the step cannot reach: that of the subscription, and those of tables that
 * were being copied, which only the subscriber would drop. The other may still reach this one, and its role logs in no more.
 *
 * @throws OperationError `move_stuck` where a session that serves the other server does not end
 * @returns slots of tables that may be of the other server, whose identifier is not known: they are left
 */
export async function abandonSlots({ client }: Connected, direction: Direction): Promise<string[]> {
  await client.query(
    `DO $do$ BEGIN ALTER ROLE ${REPLICATOR} NOLOGIN; EXCEPTION WHEN undefined_object THEN NULL; END $do$`,
  );
  const deadline = performance.now() + BEAT_TIMEOUT_MS;
  for (;;) {
    const { rowCount } = await client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1',
      [REPLICATOR],
    );
    if (rowCount === 0) break;
    if (performance.now() > deadline) {
      throw new OperationError('move_stuck', `Sessions of ${REPLICATOR} do not end: repeat the step`);
    }
    await sleep(100);
  }
  const subscriber = await valueOf<string | null>(
    client,
    `SELECT obj_description(oid, 'pg_publication') AS value FROM pg_publication WHERE pubname = $1`,
    [direction],
  );
  await client.query(
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
     WHERE database = current_database() AND active_pid IS NULL
       AND (slot_name = $1 OR slot_name ~ ('^pg_[0-9]+_sync_[0-9]+_' || $2 || '$'))`,
    [direction, subscriber ?? null],
  );
  // Without a publication the slots of this move were dropped before.
  if (subscriber !== null) return [];
  const { rows } = await client.query<{ name: string }>(
    `SELECT slot_name AS name FROM pg_replication_slots
     WHERE database = current_database() AND slot_name ~ '^pg_[0-9]+_sync_[0-9]+_[0-9]+$' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** A slot keeps log for ever; one is left where a step was killed. Those of tables that are being copied end by themselves. */
export async function dropSlot({ client }: Connected, direction: Direction): Promise<void> {
  const deadline = performance.now() + BEAT_TIMEOUT_MS;
  for (;;) {
    const { rows } = await client.query<{ name: string; pid: number | null }>(
      `SELECT slot_name AS name, active_pid AS pid FROM pg_replication_slots
       WHERE database = current_database() AND slot_name = $1`,
      [direction],
    );
    const [slot] = rows;
    if (slot === undefined) return;
    if (slot.pid === null) {
      await client.query('SELECT pg_drop_replication_slot($1)', [slot.name]);
      return;
    }
    if (performance.now() > deadline) {
      throw new OperationError('move_stuck', `Replication slot ${slot.name} is still in use: repeat the step`);
    }
    await sleep(100);
  }
}

/** Writes a row on one server. @returns what is waited for on the other */
export async function beat(client: Client, side: 'source' | 'target'): Promise<string> {
  const value = await valueOf<string>(
    client,
    `INSERT INTO ${BEATS} (side, beat, at) VALUES ($1, 1, clock_timestamp())
     ON CONFLICT (side) DO UPDATE SET beat = move_beats.beat + 1, at = excluded.at RETURNING beat::text AS value`,
    [side],
  );
  return value ?? '0';
}

/**
 * Waits until a row has arrived, and with it everything that was committed before.
 *
 * @throws OperationError `move_stuck` with the error of replication, where there is one
 */
export async function awaitBeat(
  to: Connected,
  side: 'source' | 'target',
  wanted: string,
  timeoutMs = BEAT_TIMEOUT_MS,
): Promise<number> {
  const started = performance.now();
  for (;;) {
    const arrived = await valueOf<boolean>(
      to.client,
      `SELECT EXISTS (SELECT FROM ${BEATS} WHERE side = $1 AND beat >= $2) AS value`,
      [side, wanted],
    );
    const waitedMs = performance.now() - started;
    if (arrived) return waitedMs;
    if (waitedMs > timeoutMs) {
      throw new OperationError(
        'move_stuck',
        `A row did not arrive at ${to.name} within ${Math.round(timeoutMs / 1000)} s: look for "logical replication" in the log of its server`,
      );
    }
    await sleep(BEAT_POLL_MS);
  }
}

/** Bytes of log that the other server has not confirmed, and that this one keeps; null without a slot. */
export async function slotBytes(
  { client }: Connected,
  direction: Direction,
): Promise<{ readonly lag: number; readonly retained: number } | null> {
  const { rows } = await client.query<{ lag: number; retained: number }>(
    `SELECT greatest(0, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn))::float8 AS lag,
            pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 AS retained
     FROM pg_replication_slots WHERE slot_name = $1`,
    [direction],
  );
  return rows[0] ?? null;
}
