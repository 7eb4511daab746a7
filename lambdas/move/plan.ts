import type { Client } from 'pg';
import { listTables, readSequences } from '../../core/archive/catalog';
import { isApart, wayOnApart } from './apart';
import { KEPT_DAYS, type PlanReport } from './contract';
import { missingIdentities, replicatedTables } from './tables';
import { BACK, FORWARD, slotBytes } from './replication';
import { connected, valueOf, withServers, type MoveDependencies, type Servers, type Side } from './servers';
import { isOpen } from './record';
import { AVOID_ROTATION, expectedEnd, rotationsUntil } from './ready';
import { isMoved, undirectedSecrets } from './switch';
import { MAINTENANCE_DATABASE } from '../../core/restore/new-database';
import { withConnection } from '../../core/database/connector';

/** `origin = none`, by which both directions of replication run at the same time, is of this version. */
const OLDEST_MAJOR = 16;
/** Slots and processes that a move takes on each server: its own, and one for each of two tables that are copied. */
const SLOTS = 3;

type Check = PlanReport['checks'][number];

/** Checks both servers, without changing either, and says how far a move is. */
export async function planMove(dependencies: MoveDependencies): Promise<PlanReport> {
  return withServers(dependencies, async (servers) => {
    const { client } = connected(servers.source.unreachable ? servers.target : servers.source);
    const { move } = servers;
    const tables = await replicatedTables(client);
    const identities = await missingIdentities(client);
    const rows = await valueOf<number>(
      client,
      `SELECT coalesce(sum(greatest(reltuples, 0)), 0)::float8 AS value FROM pg_class WHERE oid = ANY ($1::oid[])`,
      [tables.map(({ oid }) => oid)],
    );
    const bytes = await valueOf<number>(client, 'SELECT pg_database_size(current_database())::float8 AS value');
    const afterwards = move?.stage === 'cut-over';
    const keeper = afterwards ? servers.target : servers.source;
    const slot =
      isOpen(move) && !keeper.unreachable ? await slotBytes(connected(keeper), afterwards ? BACK : FORWARD) : null;
    return {
      stage: move?.stage ?? 'none',
      source: servers.source.name,
      target: servers.target.name,
      startedAt: move?.startedAt.toISOString() ?? null,
      verifiedAt: move?.verifiedAt?.toISOString() ?? null,
      cutOverAt: move?.cutOverAt?.toISOString() ?? null,
      checks: await checksOf(servers, dependencies),
      tables: tables.length,
      rows: rows ?? 0,
      bytes: bytes ?? 0,
      sequences: (await readSequences(client)).length,
      identities: identities.map(({ table }) => table),
      retainedBytes: slot?.retained ?? null,
    };
  });
}

/** Everything that a move needs, each with what to do where it is missing. */
export async function checksOf(servers: Servers, dependencies: MoveDependencies): Promise<Check[]> {
  const silent = [servers.source, servers.target].find(({ unreachable }) => unreachable !== undefined);
  if (silent) {
    return [
      {
        check: `${silent.name}: answers`,
        ok: false,
        detail: `${silent.unreachable?.message}. ${wayOn(servers, silent === servers.source ? 'source' : 'target', await isMoved(dependencies))}`,
      },
    ];
  }
  const source = connected(servers.source);
  return withAny(servers.target, async (onTarget) => {
    const checks: Check[] = [];
    for (const [side, client] of [
      [source, source.client],
      [servers.target, onTarget],
    ] as const) {
      checks.push(...(await serverChecks(side, client)));
    }
    checks.push(await versions(source.client, onTarget));
    checks.push(await migrated(source.client));
    checks.push(await emptiness(servers));
    checks.push(await content(source.client));
    if (servers.move && (await isApart(dependencies, servers, servers.move))) {
      checks.push({ check: 'one server takes the writes', ok: false, detail: `both may: ${wayOnApart(servers)}` });
    }
    if (servers.move?.stage === 'cut-over' && !servers.isConfigured) checks.push(await directed(dependencies));
    return [...checks, ...(await rotationChecks(dependencies, servers.move))];
  });
}

/** A rotation that begins, or goes on, during a move: how functions find the server is in the same secrets. */
async function rotationChecks(dependencies: MoveDependencies, move: Servers['move']): Promise<Check[]> {
  const until = expectedEnd(dependencies.clock(), move);
  const { all, rotating, due } = await rotationsUntil(dependencies, until);
  return [
    {
      check: 'no password is rotating',
      ok: rotating.length === 0,
      detail:
        rotating.length === 0 ? `${all} secrets` : `${rotating.join(', ')}: wait for the end, see ops secrets list`,
    },
    {
      check: 'no rotation is due',
      ok: due.length === 0,
      detail:
        due.length === 0
          ? `until ${until.toISOString().slice(0, 10)}, with the ${KEPT_DAYS} days of the way back`
          : `${due.join(', ')}: ${AVOID_ROTATION}`,
    },
  ];
}

/** A secret that was made, or written by something else, since the cut-over sends functions where writes are refused. */
async function directed(dependencies: MoveDependencies): Promise<Check> {
  const undirected = await undirectedSecrets(dependencies);
  const ok = undirected.length === 0;
  return {
    check: 'functions are sent to the new server',
    ok,
    detail: ok ? 'by every secret' : `${undirected.join(', ')} sends them to the old one: ops move cut-over`,
  };
}

/** What can be done while one of the servers does not answer. @param isOnTarget whether functions are sent to the new one now */
function wayOn({ move }: Pick<Servers, 'move'>, silent: 'source' | 'target', isOnTarget: boolean): string {
  const stage = move?.stage;
  if (stage === 'rolled-back' && silent === 'target' && isOnTarget) return LOSE_TARGET;
  if (!isOpen(move)) return stage === 'finished' && silent === 'source' ? 'It is not needed any more' : 'Bring it back';
  if (stage === 'copying' || stage === 'cutting-over') {
    return silent === 'source'
      ? 'Billing is on it: bring it back'
      : 'Bring it back, or give the move up: ops move roll-back';
  }
  if (silent === 'source') {
    return stage === 'switching-back'
      ? 'Bring it back, and repeat ops move roll-back; to lose what functions wrote there: ops move cut-over --abandon'
      : stage === 'cut-over'
        ? 'The new server goes on without it; where that refuses writes after a roll-back that stopped: ops move cut-over. If it never comes back: ops move finish --early'
        : 'ops move cut-over lets the new server take the writes without it';
  }
  return stage === 'switching-back' ? 'ops move roll-back completes without it' : LOSE_TARGET;
}

const LOSE_TARGET = 'Bring it back; to lose what has not arrived at the old server: ops move roll-back --abandon';

/** A connection to the server, also where the database is still missing. */
function withAny<T>({ client, connector }: Side, work: (client: Client) => Promise<T>): Promise<T> {
  return client === undefined ? withConnection(connector, work, MAINTENANCE_DATABASE) : work(client);
}

async function serverChecks({ name }: Side, client: Client): Promise<Check[]> {
  const { rows } = await client.query<{
    level: string;
    slots: number;
    senders: number;
    workers: number;
    replicates: boolean;
    subscribes: boolean;
    ends: boolean;
    creates: boolean;
  }>(
    `SELECT current_setting('wal_level') AS level,
       current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots)::int AS slots,
       current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender')::int AS senders,
       least(current_setting('max_logical_replication_workers')::int, current_setting('max_worker_processes')::int - 1) AS workers,
       r.rolsuper OR r.rolreplication OR coalesce((SELECT pg_has_role(rolname, 'USAGE') FROM pg_roles WHERE rolname = 'rds_replication'), false) AS replicates,
       r.rolsuper OR coalesce((SELECT pg_has_role(rolname, 'USAGE') FROM pg_roles WHERE rolname = 'pg_create_subscription'), false) AS subscribes,
       r.rolsuper OR coalesce((SELECT pg_has_role(rolname, 'USAGE') FROM pg_roles WHERE rolname = 'pg_signal_backend'), false) AS ends,
       r.rolsuper OR r.rolcreaterole AND r.rolcreatedb AS creates
     FROM pg_roles r WHERE r.rolname = current_user`,
  );
  const [found] = rows;
  if (found === undefined) return [];
  const { level, slots, senders, workers, replicates, subscribes, ends, creates } = found;
  const lacking = [
    ...(replicates ? [] : ['REPLICATION (on RDS: membership in rds_replication)']),
    ...(subscribes ? [] : ['membership in pg_create_subscription (on RDS: rds_superuser has it)']),
    ...(ends ? [] : ['membership in pg_signal_backend']),
    ...(creates ? [] : ['CREATEROLE and CREATEDB']),
  ];
  const free = Math.min(slots, senders, workers);
  return [
    {
      check: `${name}: wal_level`,
      ok: level === 'logical',
      detail:
        level === 'logical' ? level : `${level}: set it to logical (on RDS: rds.logical_replication = 1) and restart`,
    },
    {
      check: `${name}: room for replication`,
      ok: free >= SLOTS,
      detail: `${slots} slots, ${senders} senders and ${workers} workers are free; ${SLOTS} of each are needed`,
    },
    {
      check: `${name}: rights of the administrator`,
      ok: lacking.length === 0,
      detail: lacking.length === 0 ? 'complete' : `grant ${lacking.join(', ')}`,
    },
  ];
}

async function versions(source: Client, target: Client): Promise<Check> {
  const majorOf = async (client: Client) =>
    (await valueOf<number>(client, `SELECT current_setting('server_version_num')::int / 10000 AS value`)) ?? 0;
  const [from, to] = [await majorOf(source), await majorOf(target)];
  const { rows } = await source.query<{ name: string }>(
    `SELECT extname AS name FROM pg_extension WHERE extname <> ALL ($1) AND extname <> 'plpgsql'`,
    [(await target.query<{ name: string }>('SELECT name FROM pg_available_extensions')).rows.map(({ name }) => name)],
  );
  const missing = rows.map(({ name }) => name);
  const ok = from >= OLDEST_MAJOR && to >= from && missing.length === 0;
  return {
    check: 'versions and extensions',
    ok,
    detail: ok
      ? `PostgreSQL ${from} to ${to}`
      : `PostgreSQL ${from} to ${to}: expected ${OLDEST_MAJOR} or newer, and no older target${missing.length === 0 ? '' : `; the target lacks ${missing.join(', ')}`}`,
  };
}

async function migrated(source: Client): Promise<Check> {
  const known = await valueOf<boolean>(source, `SELECT to_regclass('operations.moves') IS NOT NULL AS value`);
  return {
    check: 'migrations',
    ok: known ?? false,
    detail: known ? 'the record of moves is there' : 'apply the migrations first: ops migrate apply billing',
  };
}

/** The new database has to be missing or empty; once rows are copied, it is ours. */
async function emptiness({ target, source, move }: Servers): Promise<Check> {
  const check = 'the new database';
  const known = { check, ok: true, detail: 'made by this move' };
  if (move?.stage === 'finished' && (move.target === target.name || move.target === source.name)) {
    return {
      check,
      ok: false,
      detail: `the last move finished with ${move.target}, which is in use: name another server in databases.billing.move, or take the setting out`,
    };
  }
  if (isOpen(move)) return known;
  if (target.name === source.name) {
    return { check, ok: false, detail: 'databases.billing.move names the server that is in use: name another one' };
  }
  const { client } = target;
  if (client === undefined) return { check, ok: true, detail: 'does not exist, and is created' };
  const tables = await listTables(client);
  const own = tables.filter(({ extension }) => !extension);
  const empty = own.length === 0;
  const detail = empty
    ? 'is empty, and is made again like the old one'
    : `has ${own.length} tables, and a move never overwrites: name an empty database, or one that does not exist`;
  return { check, ok: empty, detail };
}

/** What replication does not carry. */
async function content(source: Client): Promise<Check> {
  const { rows } = await source.query<{ what: string }>(
    `SELECT format('table %s.%s is unlogged', n.nspname, c.relname) AS what
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND n.nspname !~ '^pg_'
     UNION ALL
     SELECT format('table %s.%s has row security, which hides rows from replication', n.nspname, c.relname)
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relrowsecurity AND n.nspname !~ '^pg_'
     UNION ALL
     SELECT format('%s large objects', count(*)) FROM pg_largeobject_metadata HAVING count(*) > 0`,
  );
  const found = rows.map(({ what }) => what);
  return {
    check: 'content that is replicated',
    ok: found.length === 0,
    detail:
      found.length === 0
        ? 'all of it'
        : `${found.join('; ')}: replication does not carry it. Move by a restored archive instead`,
  };
}
