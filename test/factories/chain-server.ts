import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NETWORKS } from '../../core/providers/bitcoin/networks';

export interface ChainServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** The JSON-RPC of a node with three empty blocks of simnet, where nothing ever happens. */
export async function startChainServer(): Promise<ChainServer> {
  const hashes = [NETWORKS.simnet.genesis, 'a1'.repeat(32), 'a2'.repeat(32)];
  const answer = (method: string, [first]: readonly unknown[]): unknown => {
    const height = typeof first === 'string' ? hashes.indexOf(first) : Number(first ?? hashes.length - 1);
    switch (method) {
      case 'getblockchaininfo':
        return { blocks: 2, headers: 2, bestblockhash: hashes[2] };
      case 'getblockhash':
        return hashes[height];
      case 'getblock':
        return {
          hash: hashes[height],
          height,
          time: 1_795_000_000 + height,
          previousblockhash: hashes[height - 1],
          tx: [],
        };
      default:
        return [];
    }
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const calls = JSON.parse(Buffer.concat(chunks).toString()) as { id: number; method: string; params: unknown[] }[];
      const answers = calls.map(({ id, method, params }) => {
        const result = answer(method, params);
        return { id, ...(result === undefined ? { error: { code: -8, message: 'Out of range' } } : { result }) };
      });
      response.end(JSON.stringify(answers));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
