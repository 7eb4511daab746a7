import { getAddress, NETWORK, Transaction } from '@scure/btc-signer';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { NETWORKS } from '../../core/providers/bitcoin/networks';
import { createRpc } from '../../core/providers/bitcoin/rpc';
import { messageOf } from '../../core/runtime/errors';
import { waitUntil } from '../../local/pass/check';
import { freePort, LOOPBACK } from '../../local/runtime/ports';

const WAIT_MS = 20_000;
const CREDENTIALS = { username: 'test', password: 'test' };
const SIMNET = { ...NETWORK, ...NETWORKS.simnet };
/** Key of the coins that tests mine and spend. The platform has none. */
const MINER_KEY = new Uint8Array(32).fill(7);
export const MINER_ADDRESS = getAddress('pkh', MINER_KEY, SIMNET) ?? '';

/** An address of simnet that nobody else has. */
export function freshAddress(seed: number): string {
  const key = new Uint8Array(32).fill(9);
  new DataView(key.buffer).setUint32(0, seed + 1);
  return getAddress('wpkh', key, SIMNET) ?? '';
}

/** A coin that the miner may spend. */
export interface Coin {
  readonly txid: string;
  readonly index: number;
  /** The transaction that made it, in hexadecimal. */
  readonly hex: string;
  /** Satoshi. */
  readonly amount: number;
}

/** Spends a coin; what is left goes back to the miner. Transactions may be replaced unless `final`. */
export function spend(
  coin: Coin,
  outputs: readonly { readonly address: string; readonly amount: number }[],
  { fee = 10_000, final = false }: { readonly fee?: number; readonly final?: boolean } = {},
): string {
  const transaction = new Transaction();
  transaction.addInput({
    txid: coin.txid,
    index: coin.index,
    nonWitnessUtxo: coin.hex,
    sequence: final ? 0xffffffff : 0xfffffffd,
  });
  const paid = outputs.reduce((sum, { amount }) => sum + amount, fee);
  for (const { address, amount } of [...outputs, { address: MINER_ADDRESS, amount: coin.amount - paid }]) {
    transaction.addOutputAddress(address, BigInt(amount), SIMNET);
  }
  transaction.sign(MINER_KEY);
  transaction.finalize();
  return transaction.hex;
}

/** A node of a network of its own, without a wallet. */
export interface Btcd {
  readonly url: string;
  readonly credentials: typeof CREDENTIALS;
  call<T>(method: string, ...params: unknown[]): Promise<T>;
  /** Mines blocks. @returns their hashes */
  mine(blocks: number): Promise<string[]>;
  /** Hands in a transaction. @returns its id */
  send(hex: string): Promise<string>;
  /** The coin of the block at a height. */
  coin(height: number): Promise<Coin>;
  /** Connects with another node and waits until both have the same tip. */
  connect(other: Btcd): Promise<void>;
  disconnect(other: Btcd): Promise<void>;
  readonly peerAddress: string;
  /** Ends the process and begins a new one, whose mempool is empty. */
  restart(): Promise<void>;
  /** Ends the process. Its blocks stay for {@link start}. */
  halt(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function startBtcd(binary: string): Promise<Btcd> {
  const folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-btcd-'));
  const peerAddress = `${LOOPBACK}:${await freePort()}`;
  const rpcAddress = `${LOOPBACK}:${await freePort()}`;
  const url = `http://${rpcAddress}`;
  const rpc = createRpc({ url, credentials: CREDENTIALS, pausesMs: [] });
  let child: ChildProcess | undefined;

  async function call<T>(method: string, ...params: unknown[]): Promise<T> {
    const [answer] = await rpc([{ method, params }]);
    if (answer === undefined || 'error' in answer) throw new Error(`${method}: ${answer?.error.message ?? 'nothing'}`);
    return answer.result as T;
  }
  const halt = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined) return;
    const ended = new Promise<void>((resolve) => running.once('exit', () => resolve()));
    running.kill();
    await ended;
  };
  const start = async (): Promise<void> => {
    child = spawn(
      binary,
      [
        `--configfile=${path.join(folder, 'none')}`,
        '--simnet',
        '--notls',
        '--txindex',
        '--nobanning',
        '--trickleinterval=100ms',
        `--miningaddr=${MINER_ADDRESS}`,
        `--datadir=${folder}`,
        `--logdir=${path.join(folder, 'logs')}`,
        `--listen=${peerAddress}`,
        `--rpclisten=${rpcAddress}`,
        `--rpcuser=${CREDENTIALS.username}`,
        `--rpcpass=${CREDENTIALS.password}`,
      ],
      { stdio: 'ignore' },
    );
    await waitUntil(() => call('getblockcount').then(() => undefined, messageOf), WAIT_MS);
  };
  await start();
  const node: Btcd = {
    url,
    credentials: CREDENTIALS,
    peerAddress,
    call,
    mine: (blocks) => call('generate', blocks),
    send: (hex) => call('sendrawtransaction', hex),
    async coin(height) {
      const hash = await call<string>('getblockhash', height);
      const {
        rawtx: [mined],
      } = await call<{ rawtx: [{ txid: string; hex: string }] }>('getblock', hash, 2);
      return { txid: mined.txid, index: 0, hex: mined.hex, amount: 50 * 100_000_000 };
    },
    async connect(other) {
      await call('node', 'connect', other.peerAddress, 'perm');
      const tipOf = ({ call: ask }: Pick<Btcd, 'call'>) => ask<string>('getbestblockhash');
      await waitUntil(
        async () => ((await tipOf(node)) === (await tipOf(other)) ? undefined : 'both nodes have the same tip'),
        WAIT_MS,
      );
    },
    async disconnect(other) {
      await call('node', 'remove', other.peerAddress);
      await waitUntil(
        async () => ((await call<unknown[]>('getpeerinfo')).length === 0 ? undefined : 'the nodes are apart'),
        WAIT_MS,
      );
    },
    halt,
    start,
    async restart() {
      await halt();
      await start();
    },
    async stop() {
      await halt();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return node;
}
