import { DATABASE_NAMES } from '../../../core/contract';
import { HOUR, MINUTE } from '../../support/states/clock';
import type { Execution } from '../../../local/states/interpreter';
import { RecoveryWorld } from '../../support/states/recovery-world';

/** Calls that change the instance in use, or the proxy. */
const touching = ({ rds, id }: RecoveryWorld) =>
  rds.calls.filter(
    ({ action, arguments: given }) =>
      /^(de)?registerDBProxyTargets$/.test(action) ||
      given.NewDBInstanceIdentifier !== undefined ||
      (action === 'modifyDBInstance' && given.DbInstanceIdentifier === id),
  );
const minutesOf = ({ startedAtMs, endedAtMs }: Execution) => (endedAtMs - startedAtMs) / MINUTE;

describe.each(DATABASE_NAMES)('the proof of a recovered %s database', (database) => {
  test('is by the functions on the recovered host, after the password of today is set', async () => {
    const world = RecoveryWorld.inUse(database);
    const asked: unknown[] = [];
    world.functions.verify = (given) => {
      asked.push(given);
      return world.verified({});
    };
    await world.recover();
    expect(world.invoked.slice(0, 5)).toEqual(['reset-password', 'warm', 'erasure', 'migrate', 'verify']);
    expect(asked).toEqual([{ database, host: `${world.recovered}.example.rds.amazonaws.com` }]);
  });

  test('that finds a problem ends the recovery with that problem, and touches nothing in use', async () => {
    const world = RecoveryWorld.inUse(database);
    world.functions.verify = () =>
      world.verified({ problems: [{ check: 'sequences', message: 'customers_id_seq is behind' }] });
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'InstanceUnsound' });
    expect(execution.cause).toMatch(/found 1 problems, first: customers_id_seq is behind/);
    expect(execution.cause).toMatch(/with an earlier restoreTime/);
    expect(touching(world)).toEqual([]);
  });

  test('does not begin when people who were erased might come back, and touches nothing in use', async () => {
    const world = RecoveryWorld.inUse(database);
    world.failsErasing = 'ErasureLedgerUnreadable';
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'ErasureLedgerUnreadable' });
    expect(execution.cause).toContain('The instance in use was not touched');
    expect(world.invoked).not.toContain('verify');
    expect(touching(world)).toEqual([]);
  });

  test('waits for erasures that take several calls, each from where the one before stopped', async () => {
    const world = RecoveryWorld.inUse(database);
    world.erasingCalls = 3;
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    const erasing = ['erasure', 'erasure', 'erasure'];
    expect(world.invoked.slice(2, 10)).toEqual([...erasing, 'migrate', 'verify', ...erasing]);
    const replay = [null, 'charges', null];
    expect(world.erasedFrom).toEqual([...replay, ...replay, ...replay]);
  });

  test('does not begin when functions could not log in, and touches nothing in use', async () => {
    const world = RecoveryWorld.inUse(database);
    world.failsLogins = 'AccessRefused';
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'AccessRefused' });
    expect(execution.cause).toContain('The instance in use was not touched');
    expect(touching(world)).toEqual([]);
  });

  test('that is larger than a state may pass on still ends with an explanation', async () => {
    const world = RecoveryWorld.inUse(database);
    const message = 'x'.repeat(1000);
    world.functions.verify = () =>
      world.verified({ problems: Array.from({ length: 400 }, () => ({ check: 'tables', message })) });
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.DataLimitExceeded' });
    expect(execution.cause).toContain('Exists now:');
    expect(touching(world)).toEqual([]);
  });

  test('ends with the pages that warming cannot read', async () => {
    const world = RecoveryWorld.inUse(database);
    world.functions.warm = ({ stopAtMs }) => ({
      ...world.warmed(MINUTE, stopAtMs),
      unreadable: [{ kind: 'table', name: 'billing.invoices', message: 'invalid page in block 7' }],
    });
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'InstanceUnsound' });
    expect(execution.cause).toContain('warming found what cannot be read: billing.invoices, invalid page in block 7');
    expect(world.invoked).not.toContain('verify');
  });

  test('goes on when warming fails, and the operator is shown why', async () => {
    const world = RecoveryWorld.inUse(database);
    world.failsWarming = 'Sandbox.Timedout';
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.eventsOf('confirmationRequested')).toMatchObject([
      { warming: { done: false, error: 'Sandbox.Timedout' } },
    ]);
  });
});

test.each([
  ['billing', 60 - 15 - 2, 30],
  ['main', 240 - 15 - 20, 120],
] as const)(
  'warming of %s ends early enough for the cut-over to end within the target, and after half of it',
  async (database, latest, share) => {
    const world = RecoveryWorld.inUse(database);
    const untils: number[] = [];
    const after: unknown[] = [];
    world.functions.warm = ({ stopAtMs = Infinity, continueFrom }) => {
      untils.push(stopAtMs);
      after.push(continueFrom);
      return world.warmed(14 * MINUTE, Math.min(stopAtMs, world.clock.nowMs + 14 * MINUTE - 1));
    };
    const { startedAtMs } = await world.recover();
    const [until = 0] = untils;
    expect(new Set(untils).size).toBe(1);
    expect(after.slice(0, 2)).toEqual([null, { kind: 'table', oid: 1, page: 1, chunkPages: 8192 }]);
    expect((until - startedAtMs) / MINUTE).toBeLessThanOrEqual(latest);
    // It begins some 18 minutes after the start.
    expect(Math.abs((until - startedAtMs) / MINUTE - Math.min(latest, 18 + share))).toBeLessThan(3);
    expect(world.eventsOf('confirmationRequested')).toMatchObject([{ warming: { done: false, bytesLeft: 1000 } }]);
  },
);

describe('the confirmation', () => {
  test('is asked for with everything that the operator has to know, and the name to type', async () => {
    const world = RecoveryWorld.inUse('billing');
    await world.recover();
    expect(world.eventsOf('confirmationRequested')).toEqual([
      {
        environment: 'production',
        database: 'billing',
        recoveredInstance: world.recovered,
        verification: expect.objectContaining({ sound: true, problems: [], notChecked: [] }) as object,
        warming: expect.objectContaining({ done: true, bytesLeft: 0 }) as object,
        minutesSoFar: 24.5,
        minutesToTraffic: 26.5,
        targetMinutes: 60,
        confirmWith: world.id,
        note: 'Nothing in use was touched.',
        taskToken: expect.stringMatching(/^token-/) as string,
      },
    ]);
  });

  test.each([
    ['the name of the other database', { confirm: 'billing-operations-production-main' }],
    ['another case', { confirm: 'Billing-Operations-Production-Billing' }],
    ['nothing', {}],
    ['no object', 'yes'],
    ['another type', { confirm: true }],
  ])('with %s changes nothing, and asks again', async (_, output) => {
    const world = RecoveryWorld.inUse('billing');
    world.answers = [{ afterMs: MINUTE, output }, 'never'];
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'CutOverUnconfirmed' });
    const asked = world.eventsOf('confirmationRequested');
    expect(asked.map(({ note }) => note)).toEqual([
      'Nothing in use was touched.',
      expect.stringContaining('did not name that instance'),
    ]);
    expect(asked[0]?.taskToken).not.toEqual(asked[1]?.taskToken);
    expect(touching(world)).toEqual([]);
  });

  test('is void after a day, however often it was asked for', async () => {
    const world = RecoveryWorld.inUse('main');
    world.answers = [{ afterMs: 20 * HOUR, output: {} }, 'never'];
    const execution = await world.recover();
    expect(execution).toMatchObject({ error: 'CutOverUnconfirmed' });
    expect(minutesOf(execution)).toBeLessThan(25 * 60);
    expect(execution.cause).toMatch(/To cut over after all, start the workflow again with the input recoveredInstance/);
    expect(touching(world)).toEqual([]);
  });

  test('is followed by the erasure of people who were erased while it was awaited, before anything in use is touched', async () => {
    const world = RecoveryWorld.inUse('main');
    world.answers = [{ afterMs: 20 * HOUR, output: { confirm: world.id } }];
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.invoked.slice(4, 6)).toEqual(['verify', 'erasure']);

    const failing = RecoveryWorld.inUse('main');
    failing.functions.verify = () => {
      failing.failsErasing = 'ErasureLedgerUnreadable';
      return failing.verified({});
    };
    const execution = await failing.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'ErasureLedgerUnreadable' });
    expect(execution.cause).toMatch(
      /The instance in use was not touched.*start the workflow again with the input recoveredInstance/,
    );
    expect(touching(failing)).toEqual([]);
  });

  test('that is refused leaves everything as it is', async () => {
    const world = RecoveryWorld.inUse('billing');
    world.answers = [{ afterMs: MINUTE, error: 'CutOverRefused' }];
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'CutOverRefused' });
    expect(touching(world)).toEqual([]);
    expect(world.rds.servedByProxy).toBe('live data');
  });
});

describe('a cut-over through the proxy', () => {
  test('has traffic flow within five minutes of the confirmation, before any rename is through', async () => {
    const world = RecoveryWorld.inUse('billing');
    let served: string | undefined;
    const execution = await world.recover(
      {},
      {
        abortAt: (state) => {
          if (state === 'Report that traffic flows') served = world.rds.servedByProxy;
          return false;
        },
      },
    );
    const [confirmation] = world.eventsOf('confirmationRequested');
    const { minutesToTraffic } = execution.output as { minutesToTraffic: number };
    expect(minutesToTraffic - 5 - Number(confirmation?.minutesSoFar)).toBeLessThan(5);
    expect(served).toBe('live data at the latest time');
  });

  test('pauses traffic for the name only when the operator chooses, or after a day', async () => {
    for (const [answer, minutes] of [
      [undefined, 30],
      ['never' as const, 24 * 60],
    ] as const) {
      const world = RecoveryWorld.inUse('billing');
      if (answer) world.nameAnswer = answer;
      let asked = 0;
      let taken = 0;
      const execution = await world.recover(
        {},
        {
          abortAt: (state) => {
            if (state === 'Ask when to take the name') asked = world.clock.nowMs;
            if (state === 'Take the recovered instance from the proxy') taken = world.clock.nowMs;
            return false;
          },
        },
      );
      expect(execution).toMatchObject({ status: 'SUCCEEDED' });
      expect((taken - asked) / MINUTE).toBe(minutes);
      expect(world.rds.servedByProxy).toBe('live data at the latest time');
    }
  });

  test('waits for a proxy that is being changed', async () => {
    const world = RecoveryWorld.inUse('billing');
    for (const action of ['deregisterDBProxyTargets', 'registerDBProxyTargets']) {
      world.rds.fail(action, 'Rds.InvalidDbProxyStateException', 3);
      world.rds.fail(action, 'Rds.RdsException', 2);
    }
    world.rds.fail('describeDBProxyTargets', 'Rds.RdsException', 3);
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
  });

  test('says what to do when the proxy does not reach the recovered instance', async () => {
    const world = RecoveryWorld.inUse('billing');
    const execution = await world.recover(
      {},
      {
        abortAt: (state, visit) => {
          if (state === 'Wait until the proxy serves it' && visit === 1) {
            world.rds.find(world.recovered).plan([0, 'storage-full']);
          }
          return false;
        },
      },
    );
    expect(execution).toMatchObject({ status: 'FAILED', error: 'ProxyNotServing' });
    expect(execution.cause).toContain('No data was deleted');
    expect(execution.cause).toContain(`${world.recovered} is storage-full`);
  });

  test.each(['storage-full', 'failed', 'inaccessible-encryption-credentials', 'stopped', 'incompatible-network'])(
    'has traffic flow though the old instance is %s, and says how to free its name',
    async (status) => {
      const world = RecoveryWorld.inUse('billing');
      world.rds.find(world.id).plan([0, status]);
      const execution = await world.recover({ snapshotArn: 'arn:aws:rds:eu-central-1:333333333333:snapshot:s' });
      expect(execution).toMatchObject({ status: 'FAILED', error: 'Rds.InvalidDbInstanceStateException' });
      expect(world.rds.servedByProxy).toMatch(/^snapshot/);
      expect(world.eventsOf('trafficRestored')).toHaveLength(1);
      expect(execution.cause).toContain('Traffic flows to the recovered instance through the proxy');
      expect(execution.cause).toContain(`repair ${world.id}, or delete it and keep its automated backups`);
      // As told: delete it, and start again.
      world.rds.delete(world.id, { keepBackups: true });
      expect(await world.recover({ recoveredInstance: world.recovered })).toMatchObject({ status: 'SUCCEEDED' });
      expect(world.rds.identifiers).toEqual([world.id]);
    },
  );
});

describe('a cut-over without a proxy', () => {
  test('waits for an old instance that is being backed up', async () => {
    const world = RecoveryWorld.inUse('main');
    world.rds.find(world.id).plan([0, 'backing-up'], [45 * 60, 'available']);
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
  });

  test.each(['storage-full', 'failed'])('says how to go on when the old instance is %s', async (status) => {
    const world = RecoveryWorld.inUse('main');
    world.rds.find(world.id).plan([0, status]);
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED' });
    expect(execution.cause).toContain('Nothing reaches the recovered instance yet.');
    world.rds.delete(world.id, { keepBackups: true });
    expect(await world.recover({ recoveredInstance: world.recovered })).toMatchObject({ status: 'SUCCEEDED' });
  });

  test('waits for an old instance that is being deleted', async () => {
    const world = RecoveryWorld.inUse('main');
    const execution = await world.recover(
      {},
      {
        abortAt: (state, visit) => {
          if (state === 'Ask for confirmation') world.rds.find(world.id).plan([0, 'deleting']);
          if (state === 'Wait until the name is free' && visit === 3) {
            world.rds.delete(world.id, { keepBackups: false });
          }
          return false;
        },
      },
    );
    expect(execution).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.rds.identifiers).toEqual([world.id]);
  });
});

test.each(DATABASE_NAMES)('the recovery of %s deletes nothing, on any path', (database) => {
  expect(JSON.stringify(new RecoveryWorld(database).definition)).not.toMatch(/:delete/i);
});
