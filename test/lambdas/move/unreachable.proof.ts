import { readFileSync } from 'node:fs';
import { waitUntil } from '../../../local/pass/check';
import { undirectedSecrets } from '../../../lambdas/move/switch';
import { type MoveServers, startMoveServers } from '../../support/move-servers';
import { LEFT, moveSteps, NOTHING } from '../../support/move-steps';

/** A move between two servers of which one ends and answers no more, at every stage at which that leaves a way on. */
jest.setTimeout(180_000);

let servers: MoveServers;
const { prepare, write, crash, killed, stageAt, moved, dropNew, expectBothKept, expectRotationRefused } = moveSteps(
  () => servers,
);

beforeAll(async () => {
  servers = await startMoveServers();
  await prepare();
  await write('old', 'a');
});
afterAll(() => servers?.stop());

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
  // Once the old server takes writes, a rotation ends there, and what it copied sends functions to the new one again.
  await expectRotationRefused({ action: 'roll-back', abandon: true });
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
  expect(await undirectedSecrets({ secrets, configured, loginSecrets: {} })).toEqual([]);
  expect(await undirectedSecrets({ secrets, configured, loginSecrets: { service: arns.new } })).toEqual([arns.new]);

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

  await servers.clusters.old.restart();
  await expectBothKept();
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
