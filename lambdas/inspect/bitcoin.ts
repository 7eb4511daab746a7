import type { ClientBase } from 'pg';
import type { InspectionReport, InspectionRequest } from './contract';

type Report = InspectionReport<'bitcoin'>;
type Payment = Report['underWay'][number];

interface PaymentRow extends Omit<Payment, 'firstSeenAt' | 'changedAt'> {
  readonly firstSeenAt: Date | null;
  readonly changedAt: Date;
}

const PAYMENT = `
  SELECT id, project_id AS "projectId", user_id AS "userId", status, amount, received, first_seen_at AS "firstSeenAt",
         status_changed_at AS "changedAt", coalesce((
           SELECT jsonb_agg(jsonb_build_object('txid', txid, 'state', state, 'blockHeight', block_height) ORDER BY first_seen_at)
           FROM billing.bitcoin_transactions WHERE payment_id = payment.id), '[]') AS transactions
  FROM billing.bitcoin_payments AS payment`;

/** How payments in bitcoin are, and how far the chain was followed. */
export async function readBitcoin(
  client: ClientBase,
  { limit }: InspectionRequest<'bitcoin'>,
  at: Date,
): Promise<Report> {
  const payments = async (condition: string, values: unknown[]): Promise<Payment[]> => {
    const { rows } = await client.query<PaymentRow>(`${PAYMENT} ${condition}`, values);
    return rows.map((row) => ({
      ...row,
      firstSeenAt: row.firstSeenAt?.toISOString() ?? null,
      changedAt: row.changedAt.toISOString(),
    }));
  };
  const statuses = await client.query<Report['statuses'][number]>(
    `SELECT status, count(*)::int AS payments, sum(amount)::text AS amount FROM billing.bitcoin_payments
     GROUP BY status ORDER BY status`,
  );
  const lastDay = await client.query<Report['lastDay']>(
    `SELECT (SELECT count(*)::int FROM billing.bitcoin_payments WHERE settled_at > $1::timestamptz - interval '1 day') AS settled,
            (SELECT count(*)::int FROM billing.bitcoin_payments
             WHERE status IN ('failed', 'late') AND status_changed_at > $1::timestamptz - interval '1 day') AS lost,
            (SELECT (extract(epoch FROM avg(settled_at - first_seen_at)) / 60)::float8 FROM billing.bitcoin_payments
             WHERE settled_at > $1::timestamptz - interval '1 day') AS "meanMinutes"`,
    [at],
  );
  const projects = await client.query<Report['projects'][number]>(
    `SELECT project_id AS "projectId", count(*)::int AS payments, sum(amount)::text AS amount FROM billing.bitcoin_payments
     WHERE settled_at > $1::timestamptz - interval '30 days' GROUP BY project_id ORDER BY count(*) DESC, project_id LIMIT 10`,
    [at],
  );
  return {
    action: 'bitcoin',
    chain: await readChain(client),
    statuses: statuses.rows,
    lastDay: lastDay.rows[0] ?? { settled: 0, lost: 0, meanMinutes: null },
    underWay: await payments(`WHERE status IN ('seen', 'confirmed', 'underpaid') ORDER BY first_seen_at LIMIT $1`, [
      limit,
    ]),
    lost: await payments(
      `WHERE status IN ('failed', 'late') AND status_changed_at > $1::timestamptz - interval '7 days'
       ORDER BY status_changed_at DESC LIMIT $2`,
      [at, limit],
    ),
    overpaid: await payments(
      `WHERE status = 'settled' AND received > amount AND settled_at > $1::timestamptz - interval '7 days'
       ORDER BY settled_at DESC LIMIT $2`,
      [at, limit],
    ),
    projects: projects.rows,
    reorganisations: await readReorganisations(client),
  };
}

async function readChain(client: ClientBase): Promise<Report['chain']> {
  const { rows } = await client.query<{
    network: string;
    height: number;
    block_at: Date;
    node_height: number;
    node_at: Date;
    scanned_at: Date | null;
  }>('SELECT network, height, block_at, node_height, node_at, scanned_at FROM billing.bitcoin_chain');
  const [row] = rows;
  if (row === undefined) return null;
  return {
    network: row.network,
    height: row.height,
    blockAt: row.block_at.toISOString(),
    nodeHeight: row.node_height,
    nodeAt: row.node_at.toISOString(),
    scannedAt: row.scanned_at?.toISOString() ?? null,
  };
}

async function readReorganisations(client: ClientBase): Promise<Report['reorganisations']> {
  const { rows } = await client.query<{ noticed_at: Date; fork_height: number; depth: number; transactions: number }>(
    'SELECT noticed_at, fork_height, depth, transactions FROM billing.bitcoin_reorganisations ORDER BY id DESC LIMIT 5',
  );
  return rows.map((row) => ({
    noticedAt: row.noticed_at.toISOString(),
    forkHeight: row.fork_height,
    depth: row.depth,
    transactions: row.transactions,
  }));
}
