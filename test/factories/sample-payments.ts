import type { ClientBase } from 'pg';
import { tilledEvent, tilledSubscription } from './tilled-objects';

/** Events of Tilled, payouts and payments in bitcoin, as a day leaves them: some need attention. */
export async function addPayments(client: ClientBase): Promise<void> {
  const event = { ...tilledEvent('subscription.created', tilledSubscription()), id: 'evt_tilled_failed' };
  await client.query(
    `INSERT INTO billing.webhook_events
       (provider, id, type, livemode, source, status, attempts, error, occurred_at, received_at, processed_at, object_id, payload)
     SELECT 'tilled', 'evt_tilled_' || number, 'payment_intent.succeeded', true, 'webhook', status, 1, NULL,
       at, at, CASE WHEN status = 'processed' THEN at + interval '1 second' END, 'tilled:pi_' || number, '{}'
     FROM (SELECT number, now() - number * interval '5 minutes' AS at,
             CASE WHEN number = 1 THEN 'received' ELSE 'processed' END AS status
           FROM generate_series(1, 239) AS number) AS made
     UNION ALL
     SELECT 'tilled', 'evt_tilled_failed', 'subscription.created', true, 'webhook', 'failed', 3,
       'connection terminated', now() - interval '2 hours', now() - interval '2 hours', NULL, 'tilled:sub_1', $1::jsonb`,
    [event],
  );
  await client.query(
    `INSERT INTO billing.payouts (id, account_id, status, amount, currency, arrives_at, failure_code, failure_message, created_at, version, raw)
     SELECT id, account, status, amount, 'eur', now() + arrives * interval '1 hour', failure, message,
       now() - age * interval '1 hour', '', '{}'
     FROM (VALUES
       ('po_failed', 'acct_ben', 'failed', 24000, -20, 'account_closed', 'The bank account has been closed', 60),
       ('po_late', 'acct_cara', 'in_transit', 131250, -30, NULL, NULL, 90),
       ('po_1', 'acct_ada', 'in_transit', 88000, 20, NULL, NULL, 20),
       ('po_2', 'acct_dan', 'pending', 12000, 40, NULL, NULL, 3),
       ('po_3', 'acct_ada', 'paid', 64000, -1, NULL, NULL, 23)
     ) AS sample (id, account, status, amount, arrives, failure, message, age);
     INSERT INTO billing.connect_accounts
       (id, charges_enabled, payouts_enabled, details_submitted, requirements_due, version, raw, restriction, restricted)
     VALUES ('acct_ben', true, false, true, ARRAY['external_account'], '', '{}', 'requirements.past_due', true);
     INSERT INTO billing.bitcoin_chain (network, height, hash, block_at, scanned_at, node_height, node_at)
     VALUES ('mainnet', 925114, repeat('0', 64), now() - interval '7 minutes', now() - interval '40 seconds', 925114, now() - interval '40 seconds');
     INSERT INTO billing.bitcoin_payments
       (id, network, address, script, amount, confirmations, created_at, expires_at, project_id, user_id, kind, status, received, in_blocks,
        first_seen_at, settled_at, status_changed_at)
     SELECT 'btc_order-' || number, 'mainnet', 'bc1q' || number, lpad(number::text, 4, '0'), 250000, 3,
       now() - interval '3 days', now() + interval '1 day', CASE WHEN number <= 4 THEN 'academy' ELSE 'studio' END, 'ada', 'course', status,
       CASE WHEN status = 'pending' THEN 0 WHEN status = 'underpaid' THEN 90000 ELSE 250000 END,
       CASE WHEN status = 'settled' THEN 250000 ELSE 0 END,
       CASE WHEN status <> 'pending' THEN at END, CASE WHEN status = 'settled' THEN at + interval '42 minutes' END,
       at + interval '42 minutes'
     FROM (SELECT number, now() - number * interval '2 hours' AS at,
             CASE WHEN number <= 5 THEN 'settled' WHEN number <= 7 THEN 'pending' WHEN number = 8 THEN 'seen' WHEN number = 9 THEN 'underpaid'
               ELSE 'late' END AS status
           FROM generate_series(1, 10) AS number) AS made`,
  );
}
