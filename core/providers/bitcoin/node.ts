import * as z from 'zod';
import { ConfigurationError, OperationError } from '../../runtime/errors';
import { SATOSHI, type BitcoinNetwork } from './contract';
import { NETWORKS } from './networks';
import type { Rpc, RpcAnswer } from './rpc';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const height = z.int().min(0);

/** Both dialects; Bitcoin Core tells more. btcd names the network otherwise, so the first block decides. */
const chainInfo = z.object({ blocks: height, headers: height, bestblockhash: hash });

const transactionShape = z.object({
  txid: hash,
  vin: z.array(z.object({ txid: hash.optional(), vout: z.int().optional() })),
  vout: z.array(z.object({ value: z.number().min(0), scriptPubKey: z.object({ hex: z.string() }) })),
});
type RawTransaction = z.infer<typeof transactionShape>;

/** With every transaction: Bitcoin Core lists them as `tx`, btcd as `rawtx`. */
const blockShape = z.object({
  hash,
  height,
  time: z.int(),
  previousblockhash: hash.optional(),
  tx: z.array(transactionShape).optional(),
  rawtx: z.array(transactionShape).optional(),
});

/** A transaction as the network has it. */
export interface ChainTransaction {
  readonly txid: string;
  /** Coins that it spends, as `<txid>:<output>`; none of a mined coin. */
  readonly inputs: readonly string[];
  readonly outputs: readonly { readonly script: string; readonly amount: number }[];
}

export interface Block {
  readonly hash: string;
  readonly height: number;
  /** Hash of the block before it; empty for the first one. */
  readonly previous: string;
  readonly at: Date;
  readonly transactions: readonly ChainTransaction[];
}

export interface Tip {
  readonly height: number;
  readonly hash: string;
  /** Height of the best header that the node knows of: more than `height` while it catches up. */
  readonly headers: number;
}

/** Heights or transactions that are asked for in one request: a batch of the largest transactions is some 20 MB. */
export const BATCH_SIZE = 50;

/** What is asked of a node, in the calls that Bitcoin Core and btcd share. None of them needs a wallet or a key. */
export interface BitcoinNode {
  tip(): Promise<Tip>;
  /** Hashes of the node's blocks at heights; `undefined` above its tip. */
  hashes(heights: readonly number[]): Promise<(string | undefined)[]>;
  block(blockHash: string): Promise<Block>;
  /** Ids of the transactions in the mempool. */
  mempool(): Promise<string[]>;
  /** Transactions of the mempool, at most {@link BATCH_SIZE}; those that have left it are left out. */
  transactions(txids: readonly string[]): Promise<ChainTransaction[]>;
}

export function createNode(rpc: Rpc): BitcoinNode {
  async function ask<Shape extends z.ZodType>(
    shape: Shape,
    method: string,
    ...params: unknown[]
  ): Promise<z.infer<Shape>> {
    const [answer] = await rpc([{ method, params }]);
    return read(shape, method, answer);
  }

  return {
    async tip() {
      const { blocks, headers, bestblockhash } = await ask(chainInfo, 'getblockchaininfo');
      return { height: blocks, hash: bestblockhash, headers };
    },
    async hashes(heights) {
      const answers = await rpc(heights.map((each) => ({ method: 'getblockhash', params: [each] })));
      // Both dialects answer an error above their tip, each with a code of its own.
      return answers.map((answer) => ('error' in answer ? undefined : read(hash, 'getblockhash', answer)));
    },
    async block(blockHash) {
      const { tx, rawtx, ...block } = await ask(blockShape, 'getblock', blockHash, 2);
      return {
        hash: block.hash,
        height: block.height,
        previous: block.previousblockhash ?? '',
        at: new Date(block.time * 1000),
        transactions: (tx ?? rawtx ?? []).map(transactionOf),
      };
    },
    mempool: () => ask(z.array(hash), 'getrawmempool', false),
    async transactions(txids) {
      const answers = await rpc(txids.map((txid) => ({ method: 'getrawtransaction', params: [txid, 1] })));
      return answers.flatMap((answer) =>
        'error' in answer ? [] : [transactionOf(read(transactionShape, 'getrawtransaction', answer))],
      );
    },
  };
}

/** @throws ConfigurationError when the node is of another network than the environment */
export async function requireNetwork(node: BitcoinNode, network: BitcoinNetwork): Promise<void> {
  const [genesis] = await node.hashes([0]);
  if (genesis === NETWORKS[network].genesis) return;
  const other = Object.entries(NETWORKS).find(([, parameters]) => parameters.genesis === genesis)?.[0];
  throw new ConfigurationError(
    `The node is of ${other ?? 'a network that is not known'}, and this environment takes payments on ${network}: correct \`bitcoin.nodeUrl\` or \`bitcoin.network\``,
  );
}

function read<Shape extends z.ZodType>(shape: Shape, method: string, answer: RpcAnswer | undefined): z.infer<Shape> {
  if (answer === undefined || 'error' in answer) {
    const reason = answer?.error.message ?? 'nothing';
    throw new OperationError('node_unreachable', `The node answered ${method} with: ${reason}`);
  }
  const parsed = shape.safeParse(answer.result);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new OperationError(
    'node_refused',
    `The node's answer to ${method} has another form: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}

function transactionOf({ txid, vin, vout }: RawTransaction): ChainTransaction {
  return {
    txid,
    inputs: vin.flatMap((input) => (input.txid === undefined ? [] : [`${input.txid}:${input.vout ?? 0}`])),
    outputs: vout.map(({ value, scriptPubKey }) => ({ script: scriptPubKey.hex, amount: satoshiOf(value) })),
  };
}

/**
 * Satoshi of an amount that a node writes in bitcoin, with eight decimals. Exact: of every amount below 21 million bitcoin, the
 * nearest double is less than half a satoshi away after the multiplication.
 */
export function satoshiOf(bitcoin: number): number {
  return Math.round(bitcoin * SATOSHI);
}
