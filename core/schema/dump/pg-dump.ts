import path from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Client } from 'pg';
import { OperationError } from '../../runtime/errors';
import { prepareSession } from '../../database/session';
import { freeBuffer } from '../../runtime/free-buffer';
import { collectSparedGarbage, spareHeap } from '../../runtime/sparing-heap';
import { dumpError } from './dump-error';
import { withLateChecks } from './late-checks';
import { SessionBridge } from './session-bridge';

/** Newest major version of a server that the pg_dump of @electric-sql/pglite-tools reads; the package's is PostgreSQL 18. */
const NEWEST_SERVER = 18;
/**
 * How long a statement of the dump waits for a lock. Tables are not waited for at all, see {@link rewriteStatement}; a
 * view or a sequence that is being changed is worth some seconds, during which nothing queues behind the dump.
 */
const LOCK_TIMEOUT_MS = 3_000;
/** What a server reports to its clients at the start of a session. */
const REPORTED_SETTINGS = [
  'server_version',
  'server_encoding',
  'client_encoding',
  'is_superuser',
  'session_authorization',
  'DateStyle',
  'IntervalStyle',
  'TimeZone',
  'integer_datetimes',
  'standard_conforming_strings',
];
const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });
/** Memory of the thread for what was made lately; by default more than everything else that it takes. */
const YOUNG_GENERATION_MB = 8;
const COMPLETE = '\n--\n-- PostgreSQL database dump complete\n--\n';

export interface DumpOptions {
  /** Snapshot that an open transaction exported; the schema is of its moment. */
  readonly snapshot: string;
  /** Letters and digits; the text's `\restrict` lines carry it. */
  readonly restrictKey: string;
  /** File of the worker thread. @default `pg-dump-worker.js` beside the running bundle */
  readonly workerFile?: string;
  /** Schema that is left out, with what is in it: lower-case letters and `_`. @default none */
  readonly excludedSchema?: string;
  /**
   * `false`: every valid check is a part of its table, as native pg_dump writes it.
   *
   * @default checks that depend on more than the row come after the rows
   */
  readonly lateChecks?: boolean;
  /** Ends the dump. The connection is then in the middle of a statement and fit only to be ended. */
  readonly signal?: AbortSignal;
}

/** Prepares a connection for {@link dumpSchema}; what follows on it waits for no lock longer than seconds either. */
export async function prepareDumpSession(client: Client): Promise<void> {
  await prepareSession(client, LOCK_TIMEOUT_MS);
}

/**
 * The schema of a database as pg_dump writes it: the text of `pg_dump --schema-only`, byte for byte that of the native
 * program of the same version in the time zone UTC, but for {@link withLateChecks}.
 *
 * pg_dump runs in a thread of its own and never makes the application wait: a table that another session waits for is not
 * waited for as well.
 *
 * @param client connection for pg_dump alone, outside of a transaction, and prepared by {@link prepareDumpSession}
 * @throws OperationError `schema_changing` (retryable) when another session holds or awaits a lock, or dropped an object
 * meanwhile; `privilege_missing` naming the object; `server_unsupported` for a server newer than pg_dump;
 * `snapshot_lost` (retryable) when the exporting transaction has ended; `database_unavailable` (retryable) when the
 * connection is lost; `schema_dump_failed` for what else pg_dump reports
 */
export async function dumpSchema(client: Client, options: DumpOptions): Promise<string> {
  await assertReadable(client);
  const settings = await reportedSettings(client);
  let lockTimeouts = 0;
  const bridge = client.query(
    new SessionBridge(settings, (sql) => {
      if (sql === LIFTS_LOCK_TIMEOUT) lockTimeouts += 1;
      return rewriteStatement(sql) ?? (options.lateChecks === false ? undefined : withLateChecks(sql));
    }),
  );
  const bytes = await runWorker(bridge, options).catch((error: unknown) => {
    throw dumpError(error, bridge);
  });
  const text = UTF8.decode(bytes);
  freeBuffer(bytes);
  await bridge.close();
  if (!text.endsWith(`${COMPLETE}\n\\unrestrict ${options.restrictKey}\n\n`)) {
    throw new OperationError('schema_dump_failed', 'The text of pg_dump is cut off: its last line is missing');
  }
  if (lockTimeouts === 0) {
    throw new OperationError(
      'schema_dump_failed',
      'pg_dump no longer lifts the lock timeout in the way that is known here: it might wait for locks for ever',
    );
  }
  return text;
}

const LIFTS_LOCK_TIMEOUT = 'SET lock_timeout = 0';
const LOCKS_TABLES = /^LOCK TABLE .* IN ACCESS SHARE MODE$/s;

/**
 * pg_dump lifts the session's lock timeout and then waits for tables, in the queue: behind a migration that waits for the
 * backup's other sessions, and with the application's queries behind that. Its parallel workers do not; nor does this one.
 */
function rewriteStatement(sql: string): string | undefined {
  if (sql === LIFTS_LOCK_TIMEOUT) return `SET lock_timeout = ${LOCK_TIMEOUT_MS}`;
  return LOCKS_TABLES.test(sql) ? `${sql} NOWAIT` : undefined;
}

async function assertReadable(client: Client): Promise<void> {
  const { rows } = await client.query<{ major: number; tables: number }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS major,
       (SELECT count(*)::int FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p')) AS tables`,
  );
  const { major, tables } = rows[0] ?? { major: 0, tables: 0 };
  spareHeap(tables);
  if (major <= NEWEST_SERVER) return;
  throw new OperationError(
    'server_unsupported',
    `The server is PostgreSQL ${major}, and the pg_dump of this version reads servers up to ${NEWEST_SERVER}: deploy a version with a newer @electric-sql/pglite-tools`,
  );
}

async function reportedSettings(client: Client): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; value: string }>(
    `SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name`,
    [REPORTED_SETTINGS],
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

/** What the worker has come to. */
type WorkerResult = { readonly dump: Uint8Array<ArrayBuffer> } | { readonly failure: string };

async function runWorker(bridge: SessionBridge, options: DumpOptions): Promise<Uint8Array> {
  const { signal, workerFile = path.join(__dirname, 'pg-dump-worker.js') } = options;
  signal?.throwIfAborted();
  const { port1: port, port2: workerPort } = new MessageChannel();
  const answers = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const answer = async (message: Uint8Array): Promise<void> => {
    const bytes = await bridge.exchange(message);
    port.postMessage(bytes, [bytes.buffer]);
    Atomics.add(answers, 0, 1);
    Atomics.notify(answers, 0);
  };
  collectSparedGarbage();
  const worker = new Worker(workerFile, {
    workerData: { args: dumpArguments(options), port: workerPort, answers },
    transferList: [workerPort],
    // Lambda's own settings for its process are none of the thread's.
    execArgv: [],
    // Its garbage lives as long as it does.
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    env: {},
  });
  const settled = new AbortController();
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { signal: settled.signal });
      worker.on('error', reject);
      worker.on('exit', (code) => reject(new Error(`the thread of pg_dump ended with code ${code}`)));
      worker.on('message', (result: WorkerResult) => {
        if ('dump' in result) resolve(result.dump);
        else reject(new Error(result.failure));
      });
      port.on('message', (bytes: Uint8Array) => {
        answer(bytes).catch(reject);
      });
    });
  } finally {
    settled.abort();
    port.close();
    // Asleep or not, the thread ends.
    await worker.terminate();
  }
}

function dumpArguments({ snapshot, restrictKey, excludedSchema }: DumpOptions): string[] {
  return [
    '--schema-only',
    '--encoding=UTF8',
    `--snapshot=${snapshot}`,
    // Tablespaces belong to a server.
    '--no-tablespaces',
    // They hold passwords, and one restored beside its source would take the source's changes from it.
    '--no-subscriptions',
    `--restrict-key=${restrictKey}`,
    ...(excludedSchema === undefined ? [] : [`--exclude-schema=${excludedSchema}`]),
  ];
}
