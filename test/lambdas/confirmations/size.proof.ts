import type { Client } from 'pg';
import { startBundledFunctions, type BundledFunctions } from '../../factories/bundled-functions';
import { scriptOf } from '../../../core/providers/bitcoin/address';
import { freshAddress, spend, startBtcd, type Btcd } from '../../proof/btcd';
import { BTCD, goTool } from '../../proof/tools';
import { childRunning, peakMib } from '../../support/process-memory';

const binary = goTool(BTCD);
const PENDING = 100_000;
const BLOCKS = 10;
const PAID_IN_A_BLOCK = 100;

/** What Lambda ships, in a process of its own, on a real node. */
(binary === undefined ? describe.skip : describe)('with 100,000 pending payments', () => {
  let functions: BundledFunctions;
  let node: Btcd;
  let client: Client;
  const environment = () => ({
    ...functions.environments.confirmations,
    NODE_URL: node.url,
    NODE_SECRET_ARN: 'btcd',
  });

  beforeAll(async () => {
    [functions, node] = await Promise.all([startBundledFunctions(), startBtcd(binary ?? '')]);
    functions.secrets.put('btcd', node.credentials);
    client = await functions.databases.billing.client();
    await node.mine(120);
    await client.query(
      `INSERT INTO billing.bitcoin_payments (id, network, address, script, amount, confirmations, expires_at, user_id, kind)
       SELECT 'btc_p' || n, 'simnet', 'a' || n, '0014' || encode(sha256(n::text::bytea), 'hex'), 100000, 1, now() + interval '1 day',
              'u' || n, 'course' FROM generate_series(1, $1::int) AS n`,
      [PENDING],
    );
    await client.query('ANALYZE billing.bitcoin_payments');
  });
  afterAll(async () => {
    await Promise.all([functions?.stop(), node?.stop()]);
  });

  test('the memory of the function does not grow with them, and a thousand are settled by ten blocks in seconds', async () => {
    const target = functions.start('confirmations', environment(), { memoryMib: 1024, timeoutSeconds: 110 });
    await target.invoke({ dryRun: false });
    const pid = childRunning('lambda-bootstrap');
    const idleMib = peakMib(pid);
    for (let block = 0; block < BLOCKS; block += 1) {
      const addresses = Array.from({ length: PAID_IN_A_BLOCK }, (_, index) =>
        freshAddress(1_000 + block * PAID_IN_A_BLOCK + index),
      );
      await client.query(
        `UPDATE billing.bitcoin_payments SET address = paid.address, script = paid.script
         FROM unnest($1::text[], $2::text[], $3::text[]) AS paid (id, address, script) WHERE bitcoin_payments.id = paid.id`,
        [
          addresses.map((_, index) => `btc_p${block * PAID_IN_A_BLOCK + index + 1}`),
          addresses,
          addresses.map((address) => scriptOf(address, 'simnet')),
        ],
      );
      await node.send(
        spend(
          await node.coin(block + 1),
          addresses.map((address) => ({ address, amount: 100_000 })),
          { fee: 100_000 },
        ),
      );
      await node.mine(1);
    }
    const report = await target.invoke({ dryRun: false });
    const mib = peakMib(pid);
    console.info(`${PENDING} pending: ${JSON.stringify(report)}; ${idleMib} MiB before, ${mib} MiB at most`);
    expect(report).toMatchObject({
      outcome: 'up_to_date',
      blocks: BLOCKS,
      changes: { settled: BLOCKS * PAID_IN_A_BLOCK },
    });
    expect((report as { durationMs: number }).durationMs).toBeLessThan(20_000);
    // Loaded, they would take a hundred megabytes and more.
    expect(mib - idleMib).toBeLessThan(80);
  });

  test('a function that is killed in the middle of a run leaves whole blocks, and the next one continues', async () => {
    const {
      rows: [before],
    } = await client.query<{ height: number }>('SELECT height FROM billing.bitcoin_chain');
    await node.mine(200);
    const victim = functions.start('confirmations', environment(), { timeoutSeconds: 110 });
    const running = victim.invoke({ dryRun: false }).catch((error: unknown) => error);
    const height = async () =>
      (await client.query<{ height: number }>('SELECT height FROM billing.bitcoin_chain')).rows[0]?.height ?? 0;
    while ((await height()) < (before?.height ?? 0) + 20) await new Promise((resolve) => setTimeout(resolve, 5));
    victim.stop();
    await running;
    const reached = await height();
    expect(reached).toBeLessThan((before?.height ?? 0) + 200);
    // PostgreSQL ends the step that was under way when it notices.
    const next = functions.start('confirmations', environment(), { timeoutSeconds: 110 });
    const report = await next.invoke({ dryRun: false });
    expect(report).toMatchObject({ outcome: 'up_to_date', height: (before?.height ?? 0) + 200 });
    const { rows } = await client.query(
      'SELECT count(*)::int AS blocks, max(height) - min(height) + 1 AS span FROM billing.bitcoin_blocks',
    );
    expect(rows[0]?.blocks).toBe(rows[0]?.span);
  });
});
