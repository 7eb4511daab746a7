import type { Client } from 'pg';
import { scriptOf } from '../../core/providers/bitcoin/address';
import { createNode, type BitcoinNode } from '../../core/providers/bitcoin/node';
import { createRpc } from '../../core/providers/bitcoin/rpc';
import type { Log } from '../../core/runtime/telemetry';
import type { Acceptance, ConfirmationsReport } from '../../lambdas/confirmations/contract';
import { confirmPayments } from '../../lambdas/confirmations/core';
import type { ExaminedIds } from '../../lambdas/confirmations/mempool';
import { Tally } from '../../lambdas/confirmations/run';
import { freshAddress, type Btcd } from '../proof/btcd';
import { silentLog } from '../support/log';

let made = 0;

export interface Expected {
  readonly id: string;
  readonly address: string;
  readonly amount: number;
}

/** Expects a payment, as the API does. */
export async function expectPayment(
  client: Client,
  { amount = 100_000, confirmations = 2, expiresInSeconds = 3_600, item = 'c1' } = {},
): Promise<Expected> {
  made += 1;
  const expected = { id: `btc_${made}`, address: freshAddress(made), amount };
  await client.query(
    `INSERT INTO billing.bitcoin_payments
       (id, network, address, script, amount, confirmations, created_at, expires_at, project_id, user_id, kind, item_id)
     VALUES ($1, 'simnet', $2, $3, $4, $5, now() - interval '1 day', now() + make_interval(secs => $6), 'p1', 'u1', 'course', $7)`,
    [
      expected.id,
      expected.address,
      scriptOf(expected.address, 'simnet'),
      amount,
      confirmations,
      expiresInSeconds,
      item,
    ],
  );
  return expected;
}

export const nodeOf = ({ url, credentials }: Btcd): BitcoinNode =>
  createNode(createRpc({ url, credentials, pausesMs: [] }));

export interface RunOptions {
  readonly node: BitcoinNode;
  readonly examined?: ExaminedIds;
  readonly log?: Log;
  readonly clock?: () => Date;
  readonly stop?: AbortSignal;
  readonly dryRun?: boolean;
  readonly accept?: Acceptance;
}

/** One run of the function. */
export function runConfirmations(client: Client, options: RunOptions): Promise<ConfirmationsReport> {
  const { node, examined = new Set(), log = silentLog, clock = () => new Date(), dryRun = false } = options;
  const stop = options.stop ?? new AbortController().signal;
  const run = { client, node, network: 'simnet', clock, log, stop, tally: new Tally() } as const;
  return confirmPayments(run, { dryRun, examined, accept: options.accept });
}

/** Status of a payment, and of its transactions in the order of their amounts. */
export async function statusOf(client: Client, { id }: Expected): Promise<string> {
  const { rows } = await client.query<{ status: string; states: string[] }>(
    `SELECT status, ARRAY(SELECT state FROM billing.bitcoin_transactions WHERE payment_id = id ORDER BY amount, txid) AS states
     FROM billing.bitcoin_payments WHERE id = $1`,
    [id],
  );
  return [rows[0]?.status ?? 'none', ...(rows[0]?.states ?? [])].join(' ');
}
