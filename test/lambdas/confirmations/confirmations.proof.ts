import type { Client } from 'pg';
import { createNode } from '../../../core/providers/bitcoin/node';
import { createRpc } from '../../../core/providers/bitcoin/rpc';
import { entitlementLanes, sourcesOf } from '../../../lambdas/reconciliation/entitlements';
import type { Run } from '../../../lambdas/reconciliation/run';
import { expectPayment, nodeOf, runConfirmations, statusOf, type Expected } from '../../factories/bitcoin-payments';
import { spend, startBtcd, type Btcd, type Coin } from '../../proof/btcd';
import { BTCD, goTool } from '../../proof/tools';
import { restrictTo } from '../../support/access';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { putRules, RULES, storedEntitlements, unlikeGranted } from '../../support/entitlements';

/** Two real nodes, which mine, disagree and reorganise. */
const binary = goTool(BTCD);
/** A mined coin can be spent 100 blocks later. */
const MATURE = 140;

(binary === undefined ? describe.skip : describe)('payments in bitcoin, on a real node', () => {
  let a: Btcd;
  let b: Btcd;
  let database: TestDatabase;
  let client: Client;
  let spent = 0;
  const examined = new Set<string>();
  const coin = (): Promise<Coin> => a.coin((spent += 1));
  const look = () => runConfirmations(client, { node: nodeOf(a), examined });

  beforeAll(async () => {
    [a, b, database] = await Promise.all([
      startBtcd(binary ?? ''),
      startBtcd(binary ?? ''),
      createTestDatabase('billing'),
    ]);
    client = await database.client();
    await putRules(client, RULES);
    await restrictTo('billing_service', client);
    await a.mine(MATURE);
    await a.connect(b);
    await look();
  });
  afterAll(async () => {
    await Promise.all([a?.stop(), b?.stop(), database?.drop()]);
  });

  test('a payment is pending, seen, confirmed and settled, and grants what was bought once it is settled', async () => {
    const payment = await expectPayment(client, { confirmations: 2, item: 'settled' });
    const seen: string[] = [];
    const note = async () => {
      await look();
      const granted = (await storedEntitlements(client)).some((line) => line.includes('course:settled'));
      seen.push(`${await statusOf(client, payment)}${granted ? ', granted' : ''}`);
    };
    await note();
    await a.send(spend(await coin(), [payment]));
    await note();
    await a.mine(1);
    await note();
    await a.mine(1);
    await note();
    expect(seen).toEqual(['pending', 'seen mempool', 'confirmed block', 'settled block, granted']);
    expect(await unlikeGranted(client)).toEqual([]);
  });

  test('an amount too low waits for the rest, an amount too high is settled, and what comes too late is held', async () => {
    const low = await expectPayment(client, { confirmations: 1 });
    const high = await expectPayment(client, { confirmations: 1 });
    const late = await expectPayment(client, { confirmations: 1, expiresInSeconds: -60 });
    const never = await expectPayment(client, { expiresInSeconds: -60 });
    const both = [
      { address: low.address, amount: low.amount - 1_000 },
      { address: high.address, amount: high.amount + 5_000 },
    ];
    await a.send(spend(await coin(), both));
    await a.send(spend(await coin(), [late]));
    await look();
    const all = () => Promise.all([low, high, late, never].map((payment) => statusOf(client, payment)));
    expect(await all()).toEqual(['underpaid mempool', 'seen mempool', 'late mempool', 'expired']);
    await a.send(spend(await coin(), [{ address: low.address, amount: 1_000 }]));
    await a.mine(1);
    await look();
    expect(await all()).toEqual(['settled block block', 'settled block', 'late block', 'expired']);
    const { rows } = await client.query<{ received: string }>(
      'SELECT received FROM billing.bitcoin_payments WHERE id = $1',
      [high.id],
    );
    expect(rows).toEqual([{ received: '105000' }]);
    // What is late grants nothing.
    const { rows: purchases } = await client.query('SELECT FROM billing.purchases WHERE id = $1', [late.id]);
    expect(purchases).toEqual([]);
    const accept = { payment: late.id, reason: 'agreed by phone', by: 'user/ann', received: String(late.amount) };
    expect(await runConfirmations(client, { node: nodeOf(a), examined, accept })).toMatchObject({
      accepted: { before: 'late', status: 'settled' },
    });
    expect(await statusOf(client, late)).toBe('settled block');
  });

  test('a transaction with a higher fee replaces one, and one that pays elsewhere takes the payment back', async () => {
    const bumped = await expectPayment(client);
    const taken = await expectPayment(client);
    const [first, second] = [await coin(), await coin()];
    await a.send(spend(first, [bumped]));
    await a.send(spend(second, [taken]));
    await look();
    expect(await statusOf(client, bumped)).toBe('seen mempool');
    await a.send(spend(first, [{ ...bumped, amount: bumped.amount + 1 }], { fee: 50_000 }));
    await a.send(spend(second, [], { fee: 50_000 }));
    await look();
    expect(await statusOf(client, bumped)).toBe('seen replaced mempool');
    expect(await statusOf(client, taken)).toBe('pending replaced');
    await a.mine(2);
    await look();
    expect(await statusOf(client, bumped)).toBe('settled replaced block');
    // The coins are in a block, and paid it nothing.
    expect(await statusOf(client, taken)).toBe('failed double_spent');
  });

  test('a settled payment that a reorganisation takes out is pending again, grants nothing, and is settled by the next blocks', async () => {
    const lost = await expectPayment(client, { confirmations: 2, item: 'reorganised' });
    const kept = await expectPayment(client, { confirmations: 2, item: 'kept' });
    const keeping = spend(await coin(), [kept]);
    await a.disconnect(b);
    await a.send(spend(await coin(), [lost]));
    await a.send(keeping);
    await b.send(keeping);
    await a.mine(2);
    await look();
    const granted = async () => (await storedEntitlements(client)).map((line) => /course:(\w+)/.exec(line)?.[1]);
    expect(await granted()).toEqual(expect.arrayContaining(['kept', 'reorganised']));
    await b.mine(3);
    await a.connect(b);
    const lines: string[] = [];
    const keep = (message: string, details: object = {}) => void lines.push(`${message} ${JSON.stringify(details)}`);
    const report = await runConfirmations(client, {
      node: nodeOf(a),
      examined,
      log: { info: keep, warn: keep, error: keep },
    });
    console.info(['The run that met a reorganisation', ...lines, JSON.stringify(report)].join('\n'));
    expect(report).toMatchObject({
      outcome: 'up_to_date',
      blocks: 3,
      reorganisations: [{ depth: 2, transactions: 2 }],
      takenBack: 1,
      changes: { seen: 1 },
    });
    expect(await statusOf(client, lost)).toBe('seen mempool');
    expect(await granted()).not.toContain('reorganised');
    // The other branch has it, too: it was never anything but settled.
    expect(await statusOf(client, kept)).toBe('settled block');
    expect(await changesOf(kept.id)).toEqual(['pending -> confirmed', 'confirmed -> settled']);
    await a.mine(2);
    await look();
    expect((await changesOf(lost.id)).slice(1)).toEqual([
      'confirmed -> settled',
      'settled -> seen',
      'seen -> confirmed',
      'confirmed -> settled',
    ]);
    expect(await granted()).toContain('reorganised');
    expect(await unlikeGranted(client)).toEqual([]);
  });

  test('a node that gets the last block between two calls was not reorganised', async () => {
    await a.mine(1);
    await look();
    const real = nodeOf(a);
    let calls = 0;
    const catchingUp = {
      ...real,
      hashes: async (heights: readonly number[]) =>
        (calls += 1) === 1 ? heights.map(() => undefined) : real.hashes(heights),
    };
    expect(await runConfirmations(client, { node: catchingUp, examined })).toMatchObject({
      outcome: 'up_to_date',
      reorganisations: [],
    });
  });

  test('coins that the winning branch spends elsewhere are double-spent, also of a settled payment', async () => {
    const payment = await expectPayment(client, { confirmations: 1 });
    const stolen = await coin();
    await a.disconnect(b);
    await a.send(spend(stolen, [payment]));
    await a.mine(1);
    await look();
    expect(await statusOf(client, payment)).toBe('settled block');
    await b.send(spend(stolen, [], { fee: 50_000 }));
    await b.mine(2);
    await a.connect(b);
    expect(await look()).toMatchObject({ reorganisations: [{ depth: 1 }], takenBack: 1, changes: { failed: 1 } });
    expect(await statusOf(client, payment)).toBe('failed double_spent');
    const { rows } = await client.query('SELECT payment_status FROM billing.purchases WHERE id = $1', [payment.id]);
    expect(rows).toEqual([{ payment_status: 'unpaid' }]);
  });

  test('a transaction that the node forgot is dropped, and counts again when it comes back', async () => {
    const payment = await expectPayment(client);
    const paying = spend(await coin(), [payment]);
    await a.send(paying);
    await look();
    await a.restart();
    await a.connect(b);
    await look();
    expect(await statusOf(client, payment)).toBe('pending dropped');
    await a.send(paying);
    await look();
    expect(await statusOf(client, payment)).toBe('seen mempool');
    await a.mine(2);
    await look();
    expect(await statusOf(client, payment)).toBe('settled block');
  });

  test('an outage of the node loses no block, and makes nobody late', async () => {
    const payment = await expectPayment(client, { expiresInSeconds: 3 });
    await look();
    await a.disconnect(b);
    await a.halt();
    const { height } = await look();
    expect(await look()).toMatchObject({ outcome: 'node_unreachable', height, blocks: 0 });
    // While the node was away, others mined the payment and twelve blocks.
    await b.send(spend(await b.coin((spent += 1)), [payment]));
    await b.mine(12);
    await a.start();
    await a.connect(b);
    const later = new Date(Date.now() + 3_600_000);
    const report = await runConfirmations(client, { node: nodeOf(a), examined, clock: () => later });
    expect(report).toMatchObject({ outcome: 'up_to_date', height: (height ?? 0) + 12, blocks: 12 });
    expect(await statusOf(client, payment)).toBe('settled block');
    const { rows } = await client.query<{ heights: string }>(
      'SELECT count(*) AS heights FROM billing.bitcoin_blocks WHERE height > $1',
      [height],
    );
    expect(rows).toEqual([{ heights: '12' }]);
  });

  test('a run that is killed leaves the steps before it, and the next one continues', async () => {
    const payments: Expected[] = [];
    for (let block = 0; block < 4; block += 1) {
      const payment = await expectPayment(client, { confirmations: 1 });
      payments.push(payment);
      await a.send(spend(await coin(), [payment]));
      await a.mine(1);
    }
    const real = nodeOf(a);
    const victim = await database.client();
    victim.on('error', () => undefined);
    const {
      rows: [session],
    } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    let asked = 0;
    const killing = {
      ...real,
      block: async (hash: string) => {
        asked += 1;
        if (asked === 3) await client.query('SELECT pg_terminate_backend($1)', [session?.pid]);
        return real.block(hash);
      },
    };
    await expect(runConfirmations(victim, { node: killing })).rejects.toThrow();
    const settled = async () => {
      const statuses = await Promise.all(payments.map((payment) => statusOf(client, payment)));
      return statuses.filter((status) => status === 'settled block').length;
    };
    expect(await settled()).toBe(2);
    expect(await look()).toMatchObject({ blocks: 2 });
    expect(await settled()).toBe(4);
  });

  test('two runs at the same time end as one does', async () => {
    const payment = await expectPayment(client, { confirmations: 1 });
    await a.send(spend(await coin(), [payment]));
    await a.mine(5);
    const other = await database.client();
    const runs = await Promise.allSettled([
      runConfirmations(client, { node: nodeOf(a) }),
      runConfirmations(other, { node: nodeOf(a) }),
    ]);
    expect(runs.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
    await look();
    expect(await statusOf(client, payment)).toBe('settled block');
    expect(await changesOf(payment.id)).toEqual(['pending -> settled']);
  });

  test('a run whose time is up says that it is behind, never that the node is away, and nothing of it is lost', async () => {
    await a.mine(3);
    const real = nodeOf(a);
    const time = new AbortController();
    const slow = {
      ...real,
      block: (hash: string) => {
        time.abort();
        return createNode(
          createRpc({ url: a.url, credentials: a.credentials, pausesMs: [], signal: time.signal }),
        ).block(hash);
      },
    };
    expect(await runConfirmations(client, { node: slow, stop: time.signal })).toMatchObject({
      outcome: 'behind',
      problem: null,
    });
    expect(await runConfirmations(client, { node: real, dryRun: true })).toMatchObject({
      outcome: 'behind',
      blocks: 0,
    });
    expect(await look()).toMatchObject({ outcome: 'up_to_date', blocks: 3 });
  });

  test('a node with fewer blocks takes nothing back, and one whose chain has none of the blocks that are kept is refused', async () => {
    // As after a thousand blocks: the first ones, which every chain has, are forgotten.
    await client.query('DELETE FROM billing.bitcoin_blocks WHERE height < 100');
    const { rows: before } = await client.query('SELECT hash FROM billing.bitcoin_chain');
    const other = await startBtcd(binary ?? '');
    try {
      await other.mine(1);
      const fewer = nodeOf(other);
      expect(await runConfirmations(client, { node: fewer })).toMatchObject({ outcome: 'node_behind' });
      const longer = { ...fewer, tip: async () => ({ ...(await fewer.tip()), height: 1_000_000 }) };
      await expect(runConfirmations(client, { node: longer })).rejects.toMatchObject({ code: 'chain_diverged' });
    } finally {
      await other.stop();
    }
    expect((await client.query('SELECT hash FROM billing.bitcoin_chain')).rows).toEqual(before);
  });

  test('reconciliation asks Stripe for no purchase in bitcoin', async () => {
    const run = {
      client,
      entitlements: 'all',
      turns: { ids: {} },
      taken: new Map(),
      stop: new AbortController().signal,
    };
    const lanes = await entitlementLanes(run as unknown as Run);
    const ids: string[] = [];
    for await (const { objects } of sourcesOf(run as unknown as Run, lanes)) ids.push(...objects.map(({ id }) => id));
    const { rows } = await client.query('SELECT FROM billing.purchases');
    expect(rows.length).toBeGreaterThan(3);
    expect(ids).toEqual([]);
  });

  async function changesOf(id: string): Promise<string[]> {
    const { rows } = await client.query<{ change: string }>(
      `SELECT old_status || ' -> ' || new_status AS change FROM billing.bitcoin_status_changes WHERE payment_id = $1 ORDER BY id`,
      [id],
    );
    return rows.map(({ change }) => change);
  }
});
