import { createRoute } from '@hono/zod-openapi';
import type { ClientBase } from 'pg';
import * as z from 'zod';
import { hasProject, type Caller } from '../../core/keys/authenticate';
import { scriptOf } from '../../core/providers/bitcoin/address';
import { ALL_SATOSHI, BITCOIN_STATUSES, MAX_CONFIRMATIONS } from '../../core/providers/bitcoin/contract';
import { messageOf } from '../../core/runtime/errors';
import { isoTime } from '../../core/runtime/contract';
import type { ApiDependencies, BitcoinSettings } from './dependencies';
import { fieldsOf } from './fields';
import { requireProject } from './gate';
import { appId, itemId, projectId, userId } from './ids';
import { invalidRequest, Problem } from './problem';
import { requireJson, type Router } from './router';
import {
  BAD_REQUEST,
  BODY_PROBLEMS,
  json,
  KEY_PROBLEMS,
  problem,
  problemOf,
  SECURITY,
  SERVER_PROBLEMS,
} from './schemas';

/** Days that a payment may be expected for. The price of the coins is another one by then. */
const LONGEST_DAYS = 30;
const MAX_METADATA_BYTES = 4_096;

const idForm = 'expected your id of the payment: 1 to 200 letters, digits, `-` and `_`';
const paymentId = z.string({ error: idForm }).regex(/^[0-9A-Za-z_-]{1,200}$/, idForm);
const amountForm = 'expected a whole number of satoshi above 0 and below 21 million bitcoin, as a number';
const confirmationsForm = `expected a whole number of blocks from 1 to ${MAX_CONFIRMATIONS}`;
const expiresForm = `expected an ISO time that is in the future, within ${LONGEST_DAYS} days, such as 2026-12-01T12:00:00Z`;
const addressForm = 'expected an address, which a wallet of yours has never given out before';
const kindForm = 'expected course, path, coaching or other';
const metadataForm = `expected an object with texts without control characters, of at most ${MAX_METADATA_BYTES} bytes`;

const expectedPayment = fieldsOf('body', {
  id: paymentId.describe('Your id of the payment. The same request again changes nothing.'),
  address: z
    .string({ error: addressForm })
    .min(1, addressForm)
    .max(100, addressForm)
    .describe("Address of your wallet, on the environment's network, which is used for this payment only."),
  amount: z
    .int({ error: amountForm })
    .min(1, amountForm)
    .max(ALL_SATOSHI - 1, amountForm)
    .describe('Satoshi.'),
  confirmations: z
    .int({ error: confirmationsForm })
    .min(1, confirmationsForm)
    .max(MAX_CONFIRMATIONS, confirmationsForm)
    .optional()
    .describe("Blocks on the payment, its own included, from which on it is settled. Default: the environment's."),
  expiresAt: z.iso.datetime({ offset: true, error: expiresForm }).describe('What arrives later settles nothing.'),
  user: userId.describe('Id of the user whom it is for.'),
  project: projectId.optional().describe('Id of the project. Default: none, for keys of every project only.'),
  app: appId.optional().describe('Id of the app.'),
  kind: z
    .enum(['course', 'path', 'coaching', 'other'], { error: kindForm })
    .describe('What is bought, as entitlement rules name it.'),
  item: itemId.optional().describe('Id of what is bought.'),
  metadata: z
    .record(z.string(), z.string({ error: metadataForm }), { error: metadataForm })
    // PostgreSQL has no place for a NUL.
    .refine((value) => {
      const text = JSON.stringify(value);
      return Buffer.byteLength(text) <= MAX_METADATA_BYTES && !text.includes(String.raw`\u0000`);
    }, metadataForm)
    .default({})
    .describe('What you want to find with it. No personal data.'),
}).meta({ id: 'ExpectedPayment' });
type ExpectedPayment = z.infer<typeof expectedPayment>;

const paymentSchema = z
  .strictObject({
    id: z.string(),
    purchase: z.string().describe('Id of the purchase that it becomes once it is settled.'),
    status: z.enum(BITCOIN_STATUSES).describe('docs/bitcoin.md explains each.'),
    network: z.string(),
    address: z.string(),
    amount: z.int().describe('Satoshi.'),
    received: z.int().describe('Satoshi of the transactions that are in the mempool or in a block.'),
    confirmations: z.int(),
    expiresAt: isoTime,
    settledAt: isoTime.nullable(),
    transactions: z.array(
      z.strictObject({
        txid: z.string(),
        amount: z.int().describe('Satoshi that it pays to the address.'),
        state: z.string().describe('`mempool`, `block`, `replaced`, `double_spent` or `dropped`.'),
        blockHeight: z.int().nullable(),
      }),
    ),
  })
  .meta({ id: 'BitcoinPayment' });
type Payment = z.infer<typeof paymentSchema>;

const EXAMPLE: Payment = {
  id: 'order-1',
  purchase: 'btc_order-1',
  status: 'confirmed',
  network: 'mainnet',
  address: 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4',
  amount: 150_000,
  received: 150_000,
  confirmations: 3,
  expiresAt: '2026-11-30T12:00:00.000Z',
  settledAt: null,
  transactions: [{ txid: 'f'.repeat(64), amount: 150_000, state: 'block', blockHeight: 925_000 }],
};
const expected: Payment = { ...EXAMPLE, status: 'pending', received: 0, transactions: [] };

const expectRoute = createRoute({
  method: 'post',
  path: '/api/v1/bitcoin/payments',
  tags: ['Bitcoin'],
  summary: 'Expects a payment at an address. Call it before you show the address to the customer',
  security: SECURITY,
  middleware: requireJson,
  request: { body: { required: true, content: { 'application/json': { schema: expectedPayment } } } },
  responses: {
    200: json('It is expected already, by the same request.', paymentSchema, expected),
    201: json('It is expected from now on.', paymentSchema, expected),
    ...BAD_REQUEST,
    ...KEY_PROBLEMS,
    ...BODY_PROBLEMS,
    409: problem(
      'The id is that of another payment, or the address was given before.',
      problemOf('conflict', 'Another payment has this id: give each payment an id of its own'),
    ),
    ...SERVER_PROBLEMS,
  },
});

const readRoute = createRoute({
  method: 'get',
  path: '/api/v1/bitcoin/payments/{id}',
  tags: ['Bitcoin'],
  summary: 'What became of a payment',
  security: SECURITY,
  request: { params: fieldsOf('path', { id: paymentId.describe('Your id of the payment.') }) },
  responses: {
    200: json('As it is now; at most two minutes behind the network.', paymentSchema, EXAMPLE),
    ...BAD_REQUEST,
    ...KEY_PROBLEMS,
    404: problem(
      'No payment of the projects of the key has the id.',
      problemOf('not_found', 'No payment of the projects of this key has the id'),
    ),
    ...SERVER_PROBLEMS,
  },
});

/** The routes about payments in bitcoin, of an environment that takes them. */
export function addBitcoin(app: Router, { database, clock }: ApiDependencies, settings: BitcoinSettings): void {
  app.openapi(expectRoute, async (context) => {
    const payment = context.req.valid('json');
    requireProject(context.get('caller'), payment.project ?? '');
    const script = checkedScript(payment, settings, clock());
    const added = await database.use((client) => insert(client, payment, script, settings));
    const stored = await database.use((client) => readPayment(client, payment.id));
    if (!added && !(stored && isSame(stored, payment, settings.network))) {
      throw new Problem(
        409,
        'conflict',
        stored
          ? 'Another payment has this id: give each payment an id of its own'
          : 'The address was given for another payment: each payment needs an address of its own',
      );
    }
    if (!stored) throw new Problem(503, 'busy', 'The payment was stored and cannot be read; ask again');
    return context.json(stored.payment, added ? 201 : 200);
  });
  app.openapi(readRoute, async (context) => {
    const { id } = context.req.valid('param');
    const stored = await database.use((client) => readPayment(client, id));
    if (!stored || !isOf(context.get('caller'), stored.row.project_id)) {
      throw new Problem(404, 'not_found', 'No payment of the projects of this key has the id');
    }
    return context.json(stored.payment, 200);
  });
}

const isOf = (caller: Caller | undefined, project: string | null): boolean =>
  caller !== undefined && hasProject(caller, project ?? '');

/** @throws Problem 400 that names the field */
function checkedScript({ address, expiresAt }: ExpectedPayment, { network }: BitcoinSettings, now: Date): string {
  const remainingMs = Date.parse(expiresAt) - now.getTime();
  if (remainingMs <= 0 || remainingMs > LONGEST_DAYS * 86_400_000) {
    throw invalidRequest([{ field: 'body.expiresAt', detail: expiresForm }]);
  }
  try {
    return scriptOf(address, network);
  } catch (error) {
    throw invalidRequest([{ field: 'body.address', detail: messageOf(error).replace(/^address: /, '') }]);
  }
}

/** @returns whether it was new */
async function insert(
  client: ClientBase,
  payment: ExpectedPayment,
  script: string,
  { network, confirmations }: BitcoinSettings,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `INSERT INTO billing.bitcoin_payments
       (id, network, address, script, amount, confirmations, expires_at, app_id, project_id, user_id, kind, item_id, metadata)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING`,
    [
      purchaseOf(payment.id),
      network,
      payment.address,
      script,
      payment.amount,
      payment.confirmations ?? confirmations,
      payment.expiresAt,
      payment.app ?? null,
      payment.project ?? null,
      payment.user,
      payment.kind,
      payment.item ?? null,
      payment.metadata,
    ],
  );
  return rowCount === 1;
}

const purchaseOf = (id: string): string => `btc_${id}`;

interface PaymentRow {
  readonly network: string;
  readonly address: string;
  readonly amount: string;
  readonly received: string;
  readonly confirmations: number;
  readonly expires_at: Date;
  readonly settled_at: Date | null;
  readonly status: Payment['status'];
  readonly app_id: string | null;
  readonly project_id: string | null;
  readonly user_id: string;
  readonly kind: string;
  readonly item_id: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly transactions: Payment['transactions'];
}

interface Stored {
  readonly row: PaymentRow;
  readonly payment: Payment;
}

async function readPayment(client: ClientBase, id: string): Promise<Stored | undefined> {
  const { rows } = await client.query<PaymentRow>(
    `SELECT network, address, coalesce(asked_amount, amount) AS amount, received, confirmations, expires_at, settled_at, status, app_id, project_id, user_id, kind,
       item_id, metadata, coalesce((
         SELECT jsonb_agg(jsonb_build_object('txid', txid, 'amount', paying.amount, 'state', state, 'blockHeight', block_height)
                          ORDER BY first_seen_at, txid)
         FROM billing.bitcoin_transactions AS paying WHERE payment_id = payment.id), '[]') AS transactions
     FROM billing.bitcoin_payments AS payment WHERE id = $1`,
    [purchaseOf(id)],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { network, address, status, confirmations, transactions } = row;
  return {
    row,
    payment: {
      id,
      purchase: purchaseOf(id),
      status,
      network,
      address,
      amount: Number(row.amount),
      received: Number(row.received),
      confirmations,
      expiresAt: row.expires_at.toISOString(),
      settledAt: row.settled_at?.toISOString() ?? null,
      transactions,
    },
  };
}

/** Whether the request is the one that made the payment. */
function isSame({ row, payment }: Stored, wanted: ExpectedPayment, network: BitcoinSettings['network']): boolean {
  const known = [
    payment.address,
    payment.amount,
    payment.confirmations,
    row.expires_at.getTime(),
    network,
    row.user_id,
    row.project_id,
    row.app_id,
    row.kind,
    row.item_id,
    entriesOf(row.metadata),
  ];
  const asked = [
    wanted.address,
    wanted.amount,
    // The environment's default may have changed since.
    wanted.confirmations ?? payment.confirmations,
    Date.parse(wanted.expiresAt),
    payment.network,
    wanted.user,
    wanted.project ?? null,
    wanted.app ?? null,
    wanted.kind,
    wanted.item ?? null,
    entriesOf(wanted.metadata),
  ];
  return JSON.stringify(known) === JSON.stringify(asked);
}

const entriesOf = (metadata: Readonly<Record<string, string>>) =>
  Object.entries(metadata).toSorted(([one], [other]) => (one < other ? -1 : 1));
