import { readFileSync } from 'node:fs';
import { waitUntil } from '../../../local/pass/check';
import { isRunning, identify } from '../../../local/runtime/processes';
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
  await servers.confirmed({ action: 'roll-back', abandon: true });
  // The sequence of the old server stood where the cut-over left it.
  expect(await write('old', 'd')).toBe(4);
  expect(await servers.secrets.read(servers.arns.old)).not.toHaveProperty('move');
  expect(await servers.rows('old', LEFT)).toEqual([NOTHING]);

  await servers.clusters.new.restart();
  await write('new', 'lost');
  await servers.confirmed({ action: 'roll-back' });
  await expect(write('new', 'refused')).rejects.toMatchObject({ code: '25006' });
  expect(await servers.rows('new', LEFT)).toMatchObject([{ ...NOTHING, triggers: expect.any(Number) }]);
  await dropNew();
});

test('the new server goes on when the old one is lost in a roll-back, and the move is finished without it', async () => {
  const number = Number(await write('old', 'before'));
  await moved();
  // The roll-back loses its connections in the pause, as if it was killed.
  const holder = await servers.connect('old');
  await holder.query('BEGIN READ WRITE; ALTER SEQUENCE billing.numbered_id_seq INCREMENT 1');
  const stopped = servers.confirmed({ action: 'roll-back' }).catch((error: unknown) => String(error));
  await waitUntil(async () => {
    const { rows } = await holder.query(`SELECT FROM pg_locks WHERE NOT granted`);
    return rows.length > 0 ? undefined : 'the roll-back does not wait';
  }, 30_000);
  const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'move' AND backend_type = 'client backend'`;
  await servers.rows('new', end);
  await servers.rows('old', end);
  expect(await stopped).toContain('connection');
  await holder.end();
  await expect(write('new', 'e')).rejects.toMatchObject({ code: '25006' });

  await crash('old');
  await expect(servers.step({ action: 'roll-back' })).rejects.toMatchObject({ code: 'database_unavailable' });
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

  await crash('old');
  await servers.confirmed({ action: 'finish', early: true });
  expect(await servers.rows('new', LEFT)).toEqual([NOTHING]);
  expect(await servers.secrets.read(servers.arns.old)).toHaveProperty('move');
  expect(await servers.confirmed({ action: 'finish', early: true }, 'new')).toMatchObject({
    stage: 'finished',
    next: expect.stringContaining('Delete the old server'),
  });
  expect(await write('new', 'f')).toBe(number + 2);
});
