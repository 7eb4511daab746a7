import { applyEvents } from '../../../core/billing/apply-events';
import { createConnector } from '../../../core/database/connector';
import { openErasureLedger } from '../../../core/erasure/ledger';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import type { Secrets } from '../../../core/runtime/secrets';
import { erasePerson } from '../../../lambdas/erasure/core';
import { FORWARD, nameSubscriber } from '../../../lambdas/move/replication';
import { waitUntil } from '../../../local/pass/check';
import { createArchiveSite } from '../../factories/archive';
import { placesOf, plantedPerson } from '../../factories/planted-person';
import { delivered } from '../../support/billing';
import { type MoveServers, startMoveServers } from '../../support/move-servers';
import { beforeStage, LEFT, moveSteps, NOTHING } from '../../support/move-steps';

/** Steps of a move that stop half-way, after which one of its servers ends, or one of its secrets points elsewhere. */
jest.setTimeout(180_000);

let servers: MoveServers;
const { prepare, write, crash, killed, stageAt, copied, dropNew, expectBothKept, expectRotationRefused } = moveSteps(
  () => servers,
);

beforeAll(async () => {
  servers = await startMoveServers();
  await prepare();
});
afterAll(() => servers?.stop());

test('a move does not begin, nor is it cut over, where a password rotates before its end', async () => {
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);
  const due = async () => (await servers.plan()).checks.find(({ check }) => check === 'no rotation is due');
  servers.schedule('login', inDays(9));
  expect(await due()).toMatchObject({ ok: true });
  servers.schedule('login', inDays(6));
  const day = inDays(6).toISOString().slice(0, 10);
  expect(await due()).toMatchObject({ ok: false, detail: expect.stringContaining(`login-secret on ${day}`) });
  await expect(servers.step({ action: 'copy' })).rejects.toMatchObject({
    code: 'move_not_ready',
    message: expect.stringContaining('cancel-rotate-secret'),
  });
  servers.schedule('login', undefined);
  await copied();
  // The cut-over copies the password of the new server's administrator.
  servers.schedule('new', inDays(6));
  await expect(servers.step({ action: 'cut-over' })).rejects.toMatchObject({
    code: 'move_not_ready',
    message: expect.stringContaining(`new-secret on ${day}`),
  });
  servers.schedule('new', undefined);
});

test('a cut-over that stopped in the pause waits for the old server, and is given up without the new one', async () => {
  // Of a server that does not say who it is, slots of tables that were being copied cannot be told from those of others.
  const change = (privilege: string) =>
    servers.rows('new', `BEGIN READ WRITE; ${privilege} PUBLIC; COMMIT`, 'superuser');
  const sides = [await servers.side('old'), await servers.side('new')] as const;
  await change('REVOKE EXECUTE ON FUNCTION pg_control_system() FROM');
  await nameSubscriber(...sides, FORWARD);
  await change('GRANT EXECUTE ON FUNCTION pg_control_system() TO');
  for (const { client } of sides) await client.end();
  const foreign = 'pg_16384_sync_16385_7000000000000000000';
  await servers.rows('old', `SELECT pg_create_logical_replication_slot('${foreign}', 'pgoutput')`);

  const number = Number(await write('old', 'before'));
  expect(await killed({ action: 'cut-over' }, 'old', beforeStage('switching'))).toContain(
    'ops move plan says how far the move is, and what comes next',
  );
  expect(await stageAt('old')).toEqual([{ stage: 'cutting-over' }]);
  await expect(write('old', 'refused')).rejects.toMatchObject({ code: '25006' });

  await crash('old');
  for (const action of ['plan', 'cut-over', 'roll-back'] as const) {
    await expect(servers.step({ action })).rejects.toMatchObject({
      code: 'database_unavailable',
      message: expect.stringMatching(/has not taken over: billing is on .*\. Bring it back; then ops move plan/),
    });
  }
  await servers.clusters.old.restart();
  expect((await servers.plan()).stage).toBe('cutting-over');
  // In the pause, where it would have let the old server take writes.
  const sequence = 'ALTER SEQUENCE billing.numbered_id_seq INCREMENT 1';
  expect(await killed({ action: 'cut-over' }, 'new', sequence)).toContain(
    'ops move cut-over continues the step, ops move roll-back takes it back',
  );
  await expect(write('old', 'refused')).rejects.toMatchObject({ code: '25006' });

  await crash('new');
  expect((await servers.plan()).checks).toMatchObject([{ detail: expect.stringContaining('ops move roll-back') }]);
  await expect(servers.step({ action: 'cut-over' })).rejects.toMatchObject({
    code: 'database_unavailable',
    message: expect.stringContaining('ops move plan says'),
  });
  const { steps } = await servers.confirmed({ action: 'roll-back' });
  expect(steps).toContainEqual(expect.stringMatching(new RegExp(`slots ${foreign}: .*pg_drop_replication_slot`)));
  await servers.rows('old', `SELECT pg_drop_replication_slot('${foreign}')`);
  expect(await servers.rows('old', LEFT)).toEqual([NOTHING]);
  expect(await servers.secrets.read(servers.arns.old)).not.toHaveProperty('move');
  // A crash skips numbers of a sequence.
  expect(await write('old', 'after')).toBeGreaterThan(number);
  await servers.clusters.new.restart();
  await servers.confirmed({ action: 'roll-back' });
  await dropNew();
});

/** The step has recorded that it only goes on, and stops before the new server takes a write. */
const BEFORE_ADMITTING = 'LOCK TABLE pg_catalog.pg_proc IN SHARE MODE';

test('the old server keeps all where the new one is lost before functions are sent there', async () => {
  await copied();
  await killed({ action: 'cut-over' }, 'new', BEFORE_ADMITTING);
  expect([await stageAt('old'), await stageAt('new')]).toEqual([[{ stage: 'switching' }], [{ stage: 'switching' }]]);
  await crash('new');
  expect((await servers.plan()).checks).toMatchObject([
    { detail: expect.stringContaining('ops move roll-back --abandon') },
  ]);
  await expect(servers.step({ action: 'cut-over' })).rejects.toMatchObject({ code: 'database_unavailable' });
  await expect(servers.step({ action: 'roll-back' })).rejects.toMatchObject({
    message: expect.stringContaining('add --abandon'),
  });
  const [{ last }] = (await servers.rows('old', 'SELECT max(id) AS last FROM billing.numbered')) as [{ last: number }];
  await servers.confirmed({ action: 'roll-back', abandon: true });
  expect(await servers.rows('old', LEFT)).toEqual([NOTHING]);
  expect(await write('old', 'after')).toBe(last + 1);
  await servers.clusters.new.restart();
  await servers.confirmed({ action: 'roll-back' });
  await dropNew();
});

test('the new server goes on where the old one is lost before functions are sent there, and no secret is left behind', async () => {
  const { secrets, arns } = servers;
  await copied();
  const number = Number(await write('old', 'before'));
  await killed({ action: 'cut-over' }, 'new', BEFORE_ADMITTING);
  await crash('old');
  expect((await servers.plan()).checks).toMatchObject([
    { detail: expect.stringContaining('ops move cut-over lets the new server take the writes without it') },
  ]);
  await expect(servers.step({ action: 'finish', early: true })).rejects.toMatchObject({ code: 'move_out_of_order' });
  expect(await servers.confirmed({ action: 'cut-over' })).toMatchObject({ stage: 'cut-over' });
  expect(await write('new', 'g')).toBe(number + 1);

  // One secret sends functions to the old server, which may have taken what they wrote.
  await secrets.setMove(arns.login, () => undefined);
  for (const [step, next] of [
    [{ action: 'finish', early: true }, 'ops move cut-over'],
    [{ action: 'cut-over' }, 'add --abandon'],
  ] as const) {
    await expect(servers.step(step)).rejects.toMatchObject({
      code: 'move_not_ready',
      message: expect.stringMatching(new RegExp(`${arns.login} sends .*${next}`)),
    });
  }
  await expectRotationRefused({ action: 'cut-over', abandon: true });
  expect(await secrets.read(arns.login)).not.toHaveProperty('move');
  expect((await servers.step({ action: 'cut-over', abandon: true })).steps).toHaveLength(3);
  await servers.clusters.old.restart();
  expect((await servers.plan()).stage).toBe('switching');
  await servers.confirmed({ action: 'cut-over' });
  expect(await secrets.read(arns.login)).toMatchObject({ move: { state: 'moved' } });

  await secrets.setMove(arns.login, () => undefined);
  expect((await servers.plan()).checks).toContainEqual({
    check: 'functions are sent to the new server',
    ok: false,
    detail: `${arns.login} sends them to the old one: ops move cut-over`,
  });
  await expect(servers.step({ action: 'finish', early: true })).rejects.toMatchObject({
    code: 'move_not_ready',
    message: expect.stringMatching(/^login-secret sends functions to .*: ops move cut-over sends them to/),
  });
  await expectRotationRefused({ action: 'cut-over' });
  expect(await secrets.read(arns.login)).not.toHaveProperty('move');
  expect((await servers.step({ action: 'cut-over' })).steps).toHaveLength(1);
  await servers.confirmed({ action: 'cut-over' });
  expect(await secrets.read(arns.login)).toMatchObject({ move: { state: 'moved' } });
  await expect(servers.step({ action: 'cut-over' })).rejects.toMatchObject({ code: 'move_out_of_order' });
  expect(await servers.step({ action: 'verify' })).toMatchObject({ equal: true });
});

test('a roll-back whose end the new server did not record loses nothing that was written there since', async () => {
  await killed({ action: 'roll-back' }, 'new', beforeStage('rolled-back'));
  expect([await stageAt('old'), await stageAt('new')]).toEqual([
    [{ stage: 'rolled-back' }],
    [{ stage: 'switching-back' }],
  ]);
  await crash('old');
  // Functions were sent to the old server, and what a rotation there copied would send them to it again.
  await expectRotationRefused({ action: 'cut-over', abandon: true });
  await servers.confirmed({ action: 'cut-over', abandon: true });
  await write('new', 'kept');
  await servers.clusters.old.restart();
  await expectBothKept();

  // The new server is lost as well: what it took is not given up unless an operator says so.
  await crash('new');
  expect((await servers.plan()).checks).toMatchObject([
    { detail: expect.stringContaining('ops move roll-back --abandon') },
  ]);
  await expect(servers.step({ action: 'roll-back' })).rejects.toMatchObject({
    code: 'move_not_ready',
    message: expect.stringContaining('add --abandon'),
  });
  await servers.confirmed({ action: 'roll-back', abandon: true });
  expect(await servers.secrets.read(servers.arns.login)).not.toHaveProperty('move');
  await write('old', 'h');
  await servers.clusters.new.restart();
  await servers.confirmed({ action: 'roll-back' });
  await expect(write('new', 'refused')).rejects.toMatchObject({ code: '25006' });
  await dropNew();
});

test('an erasure that a cut-over interrupts fails as retryable, and repeated in the pause it is completed on the new server', async () => {
  const site = await createArchiveSite('main');
  const person = plantedPerson('moved');
  const { customerId: customer, marker } = person;
  const old = await servers.connect('old');
  await applyEvents(old, stripeProvider, delivered([...person.events, ...person.guest]));
  await copied();

  /** States of the move that connections of the erasure found. */
  const found: unknown[] = [];
  const secrets: Secrets = {
    async read(arn, schema) {
      if (arn === 'erasures') return schema.parse({ key: 'k'.repeat(64) });
      const secret = await servers.secrets.read(arn);
      found.push((secret.move as { readonly state: string } | undefined)?.state);
      return schema.parse(secret);
    },
  };
  const { target } = servers.connector('old');
  const ledger = openErasureLedger(site.store, secrets, { ERASURE_KEY_SECRET_ARN: 'erasures' });
  const erase = () =>
    erasePerson(
      {
        connectors: {
          billing: createConnector(target, secrets, 'erasure', { plainSession: true }),
          main: site.source.connector,
        },
        store: site.store,
        ledger,
        hooks: [],
        clock: () => new Date(),
      },
      { action: 'erase', subject: { customer }, typed: { confirm: customer } },
    );

  const holder = await servers.connect('old');
  await holder.query(`SET application_name = 'move'; BEGIN READ WRITE; ${beforeStage('switching')}`);
  let cutOver: Promise<unknown> | undefined;
  // The ledger has the person by then, and billing no tombstone.
  const read = jest.spyOn(ledger, 'read').mockImplementationOnce(async () => {
    cutOver = servers.confirmed({ action: 'cut-over' }).catch((error: unknown) => error);
    await waitUntil(async () => {
      const { rows } = await holder.query(`SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory'`);
      return rows.length > 0 ? undefined : 'the cut-over is not in its pause';
    }, 30_000);
    return ledger.read();
  });
  await expect(erase()).rejects.toMatchObject({ code: 'database_unavailable', retryable: true });
  read.mockRestore();

  const repeated = erase().catch((error: unknown) => error);
  await waitUntil(async () => (found.at(-1) === 'moving' ? undefined : 'the erasure does not wait'), 15_000);
  await holder.query('COMMIT');
  expect(await cutOver).toMatchObject({ stage: 'cut-over' });
  expect(await repeated).toMatchObject({ dryRun: false, continueFrom: null });
  const moved = await servers.connect('new');
  expect(await placesOf(moved, marker)).toEqual([]);
  expect((await moved.query('SELECT FROM billing.erasures WHERE finished_at IS NULL')).rows).toEqual([]);
  for (const client of [old, holder, moved]) await client.end();
  await site.remove();
});
