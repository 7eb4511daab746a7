import { readFileSync } from 'node:fs';
import { waitUntil } from '../../../local/pass/check';
import { isRunning, identify } from '../../../local/runtime/processes';
import type { MoveRequest } from '../../../lambdas/move/contract';
import { isDirected } from '../../../lambdas/move/switch';
import { type MoveServers, type Place, startMoveServers } from '../../support/move-servers';

/** A move between two servers of which one ends and answers no more, at every stage at which that leaves a way on. */
jest.setTimeout(180_000);

let servers: MoveServers;

beforeAll(async () => {
  servers = await startMoveServers();
  await servers.rows(
    'old',
    `CREATE TABLE billing.notes (note text);
     CREATE TABLE billing.numbered (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text)`,
  );
  await write('old', 'a');
});
afterAll(() => servers?.stop());

const LEFT = `SELECT (SELECT count(*)::int FROM pg_subscription) AS subscriptions,
  (SELECT count(*)::int FROM pg_replication_slots) AS slots, (SELECT count(*)::int FROM pg_publication) AS publications,
  (SELECT count(*)::int FROM pg_roles WHERE rolname = 'billing_move') AS roles,
  (SELECT count(*)::int FROM pg_trigger WHERE tgname = 'a_moved') AS triggers,
  (SELECT relreplident FROM pg_class WHERE oid = 'billing.notes'::regclass) AS identity`;
const NOTHING = { subscriptions: 0, slots: 0, publications: 0, roles: 0, triggers: 0, identity: 'd' };

/** As functions write: with the settings of the database. @returns the number of the row */
async function write(place: Place, note: string): Promise<unknown> {
  const [row] = await servers.rows(place, `INSERT INTO billing.numbered (note) VALUES ('${note}') RETURNING id`);
  return (row as { readonly id: unknown }).id;
}

async function crash(place: Place): Promise<void> {
  const identity = identify(servers.clusters[place].pid);
  servers.crash(place);
  await waitUntil(
    async () => (identity && isRunning(identity) ? `the ${place} server is still running` : undefined),
    20_000,
  );
}

/** Takes a step that meets the lock of a session, and loses its connections there, as if it was killed. */
async function killed(request: MoveRequest, place: Place, lock: string): Promise<void> {
  const holder = await servers.connect(place);
  // Sessions of functions would be ended.
  await holder.query(`SET application_name = 'move'; BEGIN READ WRITE; ${lock}`);
  const own = await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const stopped = servers.confirmed(request).catch((error: unknown) => String(error));
  await waitUntil(async () => {
    const { rows } = await holder.query(`SELECT FROM pg_locks WHERE NOT granted`);
    return rows.length > 0 ? undefined : 'the step does not wait';
  }, 30_000);
  const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'move' AND backend_type = 'client backend'`;
  const others = `${end} AND pid <> ${own.rows[0]?.pid}`;
  // Where it waits last: the other server alone would not stop it.
  for (const each of [place === 'old' ? 'new' : 'old', place] as const) {
    if (identify(servers.clusters[each].pid)) await servers.rows(each, each === place ? others : end);
  }
  expect(await stopped).toContain('connection');
  await holder.end();
}

const stageAt = (place: Place) =>
  servers.rows(place, 'SELECT stage FROM operations.moves ORDER BY started_at DESC LIMIT 1');

/** From nothing to the cut-over. */
async function moved(): Promise<void> {
  await servers.step({ action: 'copy' });
  await waitUntil(async () => {
    const rows = await servers.rows('new', `SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r'`);
    return rows.length === 0 ? undefined : `${rows.length} tables are being copied`;
  }, 30_000);
  await servers.step({ action: 'verify' });
  expect(await servers.confirmed({ action: 'cut-over' })).toMatchObject({ stage: 'cut-over' });
}

const dropNew = () => servers.rows('new', 'DROP DATABASE billing WITH (FORCE)', 'superuser', 'postgres');

test('a copy is given up without the new server, which is cleaned when it answers again', async () => {
  await servers.step({ action: 'copy' });
  // The password of replication is nowhere that an administrator, or a reader of logs, looks.
  const [subscription] = (await servers.rows('new', 'SELECT subconninfo FROM pg_subscription', 'superuser')) as [
    { readonly subconninfo: string },
  ];
  const [, password = ''] = /password='([\w-]{32})'/.exec(subscription.subconninfo) ?? [];
  expect(password).not.toBe('');
  for (const place of ['old', 'new'] as const) {
    expect(readFileSync(servers.clusters[place].logFile, 'utf8')).not.toContain(password);
    const seen = `SELECT query FROM pg_stat_statements UNION ALL SELECT query FROM pg_stat_activity`;
    const queries = await servers.rows(place, seen, 'superuser', 'postgres');
    expect(queries.filter((row) => JSON.stringify(row).includes(password))).toEqual([]);
  }
  expect(readFileSync(servers.clusters.new.logFile, 'utf8')).toContain('CREATE SUBSCRIPTION billing_move_forward');

  // As another subscriber names its own.
  const foreign = 'pg_16384_sync_16385_7000000000000000000';
  await servers.rows('old', `SELECT pg_create_logical_replication_slot('${foreign}', 'pgoutput')`);
  await crash('new');
  expect((await servers.plan()).checks).toEqual([
    {
      check: expect.stringMatching(/:\d+\/billing: answers/),
      ok: false,
      detail: expect.stringContaining('ops move roll-back'),
    },
  ]);
  await expect(servers.step({ action: 'verify' })).rejects.toMatchObject({
    code: 'database_unavailable',
    message: expect.stringMatching(/does not answer, and this step needs it\. ops move plan says/),
  });
  expect(await servers.confirmed({ action: 'roll-back' })).toMatchObject({
    stage: 'rolled-back',
    next: expect.stringContaining('once more'),
  });
  await servers.rows('old', `SELECT pg_drop_replication_slot('${foreign}')`);
  expect(await servers.rows('old', LEFT)).toEqual([NOTHING]);
  await write('old', 'b');

  await servers.clusters.new.restart();
  await servers.confirmed({ action: 'roll-back' });
  expect(await servers.rows('new', LEFT)).toMatchObject([{ subscriptions: 0, publications: 0 }]);
  await dropNew();
});

test('the old server takes the writes again when the new one is lost after the cut-over', async () => {
  // A reader that does not end keeps the triggers of a table, and delays no write.
  await servers.step({ action: 'copy' });
  const reader = await servers.connect('new');
  await reader.query('BEGIN READ ONLY; SELECT FROM billing.numbered');
  await moved();
  expect(await write('new', 'c')).toBe(3);
  expect(
    await servers.rows('new', `SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgname = 'a_moved'`),
  ).toContainEqual({ name: 'billing.numbered' });
  await reader.end();
  await waitUntil(async () => {
    const rows = await servers.rows('old', `SELECT FROM billing.numbered WHERE note = 'c'`);
    return rows.length === 1 ? undefined : 'the row has not arrived';
  }, 20_000);

  await crash('new');
  await expect(servers.step({ action: 'roll-back' })).rejects.toMatchObject({
    code: 'move_not_ready',
    message: expect.stringContaining('add --abandon'),
  });
  await expect(write('old', 'd')).rejects.toMatchObject({ code: '25006' });
  await killed({ action: 'roll-back', abandon: true }, 'old', 'SELECT FROM billing.notes');
  // The sequence of the old server stood where the cut-over left it.
  expect(await write('old', 'd')).toBe(4);
  expect(await servers.secrets.read(servers.arns.old)).not.toHaveProperty('move');

  // The new server answers before the step is repeated, and still took writes.
  await servers.clusters.new.restart();
  await write('new', 'lost');
  await expect(servers.confirmed({ action: 'roll-back' })).rejects.toMatchObject({ code: 'move_not_ready' });
  await write('new', 'lost');
  await killed({ action: 'roll-back', abandon: true }, 'old', 'SELECT FROM billing.notes');
  await expect(write('new', 'refused')).rejects.toMatchObject({ code: '25006' });
  await crash('new');
  expect(await servers.confirmed({ action: 'roll-back' })).toMatchObject({ stage: 'rolled-back' });
  expect(await servers.rows('old', LEFT)).toEqual([NOTHING]);
  expect(await write('old', 'd')).toBe(5);

  await servers.clusters.new.restart();
  expect(await stageAt('new')).toEqual([{ stage: 'switching-back' }]);
  await servers.confirmed({ action: 'roll-back' });
  expect(await stageAt('new')).toEqual([{ stage: 'rolled-back' }]);
  expect(await servers.rows('new', LEFT)).toMatchObject([{ ...NOTHING, triggers: expect.any(Number) }]);
  await dropNew();
});

test('the new server goes on when the old one is lost in a roll-back, and the move is finished without it', async () => {
  const number = Number(await write('old', 'before'));
  await moved();
  // In the pause.
  await killed({ action: 'roll-back' }, 'old', 'ALTER SEQUENCE billing.numbered_id_seq INCREMENT 1');
  await expect(write('new', 'e')).rejects.toMatchObject({ code: '25006' });

  // A step that was killed wrote some of the secrets only; that of the new server is never written.
  const configured = servers.connector('old');
  const { secrets, arns } = servers;
  expect(await isDirected({ secrets, configured, loginSecrets: {} })).toBe(true);
  expect(await isDirected({ secrets, configured, loginSecrets: { service: arns.new } })).toBe(false);

  await crash('old');
  await expect(servers.step({ action: 'roll-back' })).rejects.toMatchObject({ code: 'database_unavailable' });
  await expect(servers.step({ action: 'finish', early: true })).rejects.toMatchObject({
    code: 'move_not_ready',
    message: expect.stringContaining('refuses writes'),
  });
  expect((await servers.step({ action: 'cut-over' })).steps).toContainEqual(
    expect.stringContaining('go on without it'),
  );
  await servers.confirmed({ action: 'cut-over' });
  expect(await write('new', 'e')).toBe(number + 1);

  // The old server comes back: its record says that a roll-back is open, which the cut-over takes back.
  await servers.clusters.old.restart();
  expect((await servers.plan()).stage).toBe('rolling-back');
  await servers.confirmed({ action: 'cut-over' });
  expect((await servers.plan()).stage).toBe('cut-over');
  expect(await servers.step({ action: 'verify' })).toMatchObject({ equal: true });

  // A roll-back that stops before, and after the old server takes writes, which is lost then.
  await killed({ action: 'roll-back' }, 'new', 'SELECT FROM operations.moves FOR UPDATE');
  expect([await stageAt('old'), await stageAt('new')]).toEqual([
    [{ stage: 'switching-back' }],
    [{ stage: 'cut-over' }],
  ]);
  expect((await servers.step({ action: 'roll-back' })).steps).not.toContainEqual(
    expect.stringContaining('at one moment'),
  );
  await killed({ action: 'roll-back' }, 'old', 'SELECT FROM billing.notes');
  expect(await stageAt('new')).toEqual([{ stage: 'switching-back' }]);
  await write('old', 'lost');
  await crash('old');
  await expect(servers.step({ action: 'cut-over' })).rejects.toMatchObject({
    code: 'move_not_ready',
    message: expect.stringContaining('add --abandon'),
  });
  expect(await servers.confirmed({ action: 'cut-over', abandon: true })).toMatchObject({
    next: expect.stringContaining('finish --early'),
  });
  expect(await write('new', 'kept')).toBe(number + 2);

  // It comes back: neither command loses what was written since, and both say what keeps it.
  await servers.clusters.old.restart();
  expect((await servers.plan()).checks).toContainEqual({
    check: 'one server takes the writes',
    ok: false,
    detail: expect.stringContaining('to keep what was written on'),
  });
  for (const [action, code] of [
    ['cut-over', 'move_out_of_order'],
    ['roll-back', 'move_not_ready'],
  ] as const) {
    await expect(servers.confirmed({ action })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/stop .* and run ops move finish --early; .* roll-back --abandon/),
    });
  }
  await crash('new');
  await expect(servers.confirmed({ action: 'roll-back' })).rejects.toMatchObject({
    code: 'move_not_ready',
    message: expect.stringContaining('add --abandon'),
  });
  await servers.clusters.new.restart();
  // A crash may skip numbers of a sequence.
  const last = Number(await write('new', 'kept'));

  await crash('old');
  await servers.confirmed({ action: 'finish', early: true });
  expect(await servers.rows('new', LEFT)).toEqual([NOTHING]);
  expect(await servers.secrets.read(servers.arns.old)).toHaveProperty('move');
  expect(await servers.confirmed({ action: 'finish', early: true }, 'new')).toMatchObject({
    stage: 'finished',
    next: expect.stringContaining('Delete the old server'),
  });
  expect(await write('new', 'f')).toBe(last + 1);

  // It took writes when it was lost.
  await servers.clusters.old.restart();
  await servers.confirmed({ action: 'finish', early: true }, 'new');
  await expect(write('old', 'refused')).rejects.toMatchObject({ code: '25006' });
  expect(await stageAt('old')).toEqual([{ stage: 'finished' }]);
});
