-- Up Migration
-- Payments in bitcoin: what an application expects at which address, and what a node has seen of it (docs/bitcoin.md). New tables
-- only: nothing waits for a lock, and older code ignores them. Amounts are in satoshi, and below the 21 million bitcoin that
-- there will ever be. Hashes are as nodes write them: hexadecimal, in reverse byte order.

CREATE TABLE billing.bitcoin_payments (
  -- Becomes the id of the purchase, so that it must never be one of a payment provider.
  id text PRIMARY KEY CHECK (id ~ '^btc_[0-9A-Za-z_-]{1,200}$'),
  network text NOT NULL CHECK (network IN ('mainnet', 'testnet3', 'testnet4', 'signet', 'regtest', 'simnet')),
  address text NOT NULL,
  -- The output script of the address, by which outputs are found: one address has several spellings, a script has one.
  script text NOT NULL CHECK (script ~ '^([0-9a-f]{2})+$'),
  amount bigint NOT NULL CHECK (amount > 0 AND amount < 2100000000000000),
  -- Blocks on a transaction, its own included, from which on it counts as paid.
  confirmations integer NOT NULL CHECK (confirmations BETWEEN 1 AND 100),
  expires_at timestamptz NOT NULL,
  app_id text,
  project_id text,
  user_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('course', 'path', 'coaching', 'other')),
  item_id text,
  metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz NOT NULL DEFAULT now(),
  status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'seen', 'confirmed', 'settled', 'underpaid', 'late', 'expired', 'failed')),
  -- Of the transactions that are in the mempool or in a block; of those in a block; in satoshi.
  received bigint NOT NULL DEFAULT 0 CHECK (received >= 0),
  in_blocks bigint NOT NULL DEFAULT 0 CHECK (in_blocks BETWEEN 0 AND received),
  -- Height of the chain at which the status has to be computed again. Null: no block changes it.
  review_height integer,
  first_seen_at timestamptz,
  settled_at timestamptz CHECK ((status = 'settled') = (settled_at IS NOT NULL)),
  status_changed_at timestamptz NOT NULL DEFAULT now(),
  -- Of a payment that an operator accepted as it was, late or too low: `amount` is what had arrived then.
  asked_amount bigint,
  accepted_at timestamptz,
  accepted_by text,
  accepted_reason text,
  CONSTRAINT bitcoin_payments_accepted_by_a_person CHECK (num_nonnulls(asked_amount, accepted_at, accepted_by) IN (0, 3)),
  CONSTRAINT bitcoin_payments_expire_later CHECK (expires_at > created_at)
)
-- A payment changes three or four times: room for the next version on the same page.
WITH (fillfactor = 70);
-- An address is used once: a second payment at it could not be told from the first.
CREATE UNIQUE INDEX bitcoin_payments_by_script ON billing.bitcoin_payments (script, network);
CREATE INDEX bitcoin_payments_to_review ON billing.bitcoin_payments (review_height) WHERE review_height IS NOT NULL;
CREATE INDEX bitcoin_payments_to_expire ON billing.bitcoin_payments (expires_at) WHERE status IN ('pending', 'underpaid');
CREATE INDEX bitcoin_payments_under_way ON billing.bitcoin_payments (first_seen_at)
  WHERE status IN ('seen', 'confirmed', 'underpaid');
CREATE INDEX bitcoin_payments_by_settlement ON billing.bitcoin_payments (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX bitcoin_payments_lost ON billing.bitcoin_payments (status_changed_at) WHERE status IN ('failed', 'late');

-- Transactions that pay an expected payment; one may pay several.
CREATE TABLE billing.bitcoin_transactions (
  payment_id text NOT NULL REFERENCES billing.bitcoin_payments,
  txid text NOT NULL CHECK (txid ~ '^[0-9a-f]{64}$'),
  -- What it pays to the payment's address, in satoshi.
  amount bigint NOT NULL CHECK (amount > 0),
  -- `replaced`: another transaction spends the same coins, in the mempool, or in a block and pays the same payment.
  -- `double_spent`: another one does in a block, and pays it nothing. `dropped`: the node forgot it; it may come back.
  state text NOT NULL CHECK (state IN ('mempool', 'block', 'replaced', 'double_spent', 'dropped')),
  -- Of the block that has it, or that has the transaction which took its coins.
  block_height integer,
  -- That transaction.
  conflict text,
  -- The moment that decides whether it was in time: in doubt the earlier one.
  arrived_at timestamptz NOT NULL,
  first_seen_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (payment_id, txid),
  CONSTRAINT bitcoin_transactions_in_a_block CHECK (state <> 'block' OR block_height IS NOT NULL)
) WITH (fillfactor = 70);
CREATE INDEX bitcoin_transactions_by_txid ON billing.bitcoin_transactions (txid);
CREATE INDEX bitcoin_transactions_by_block ON billing.bitcoin_transactions (block_height) WHERE block_height IS NOT NULL;
CREATE INDEX bitcoin_transactions_in_mempool ON billing.bitcoin_transactions (txid, payment_id) WHERE state = 'mempool';

CREATE INDEX bitcoin_transactions_gone ON billing.bitcoin_transactions (changed_at)
  WHERE state IN ('replaced', 'dropped');

-- The coins that these transactions spend, as `<txid>:<output>`: by them a transaction is found that spends them again.
CREATE TABLE billing.bitcoin_inputs (
  outpoint text NOT NULL,
  txid text NOT NULL,
  PRIMARY KEY (outpoint, txid)
);

-- What became of each payment, in the order in which it did: why access was given and taken.
CREATE TABLE billing.bitcoin_status_changes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  payment_id text NOT NULL REFERENCES billing.bitcoin_payments,
  changed_at timestamptz NOT NULL,
  height integer NOT NULL,
  old_status text NOT NULL,
  new_status text NOT NULL
);
CREATE INDEX bitcoin_status_changes_by_payment ON billing.bitcoin_status_changes (payment_id, id);

-- The last blocks that were looked at, by which a reorganisation is noticed and its beginning found.
CREATE TABLE billing.bitcoin_blocks (
  height integer PRIMARY KEY CHECK (height >= 0),
  hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$')
);

-- How far the chain was followed: one row, which each block moves on from the block before it.
CREATE TABLE billing.bitcoin_chain (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  network text NOT NULL,
  height integer NOT NULL CHECK (height >= 0),
  hash text NOT NULL,
  -- What the block's header says.
  block_at timestamptz NOT NULL,
  -- When the mempool was last looked at as a whole.
  scanned_at timestamptz,
  -- The node's own height when it was last asked, and when that was.
  node_height integer NOT NULL,
  node_at timestamptz NOT NULL
);

CREATE TABLE billing.bitcoin_reorganisations (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  noticed_at timestamptz NOT NULL,
  -- The last block that stayed.
  fork_height integer NOT NULL,
  -- Blocks that were taken back.
  depth integer NOT NULL CHECK (depth > 0),
  -- Transactions of expected payments that were in them.
  transactions integer NOT NULL
);

-- What the API does: it expects payments and answers what became of them. Who changes a status is the function alone.
GRANT SELECT ON billing.bitcoin_payments, billing.bitcoin_transactions TO billing_api;
GRANT INSERT (id, network, address, script, amount, confirmations, expires_at, app_id, project_id, user_id, kind, item_id, metadata)
  ON billing.bitcoin_payments TO billing_api;

-- Down Migration
DROP TABLE billing.bitcoin_reorganisations, billing.bitcoin_chain, billing.bitcoin_blocks, billing.bitcoin_status_changes,
  billing.bitcoin_inputs, billing.bitcoin_transactions, billing.bitcoin_payments;
