import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { generate } from 'selfsigned';
import { scriptOf } from '../../../../core/providers/bitcoin/address';
import { ALL_SATOSHI } from '../../../../core/providers/bitcoin/contract';
import { createNode, requireNetwork, satoshiOf } from '../../../../core/providers/bitcoin/node';
import { createRpc } from '../../../../core/providers/bitcoin/rpc';

const HASH = 'ab'.repeat(32);
/** What the server answers: one result or error for each method, or a whole answer. */
let answers: Record<string, unknown> = {};
let refusal: { readonly status: number; readonly body: string } | undefined;
let server: Server;

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const calls = JSON.parse(Buffer.concat(chunks).toString()) as { id: number; method: string }[];
      if (refusal) return response.writeHead(refusal.status).end(refusal.body);
      // In another order than asked, as a batch may be answered.
      const body = calls.toReversed().map(({ id, method }) => ({ jsonrpc: '2.0', id, ...(answers[method] as object) }));
      return response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => server.close());
beforeEach(() => {
  answers = {};
  refusal = undefined;
});

const node = () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return createNode(createRpc({ url, credentials: { username: 'u', password: 'secret' }, pausesMs: [] }));
};

test('a block is the same in the dialects of Bitcoin Core and of btcd', async () => {
  const transaction = {
    txid: HASH,
    vin: [
      { coinbase: '00', sequence: 1 },
      { txid: HASH, vout: 3 },
    ],
    vout: [{ value: 0.1, n: 0, scriptPubKey: { hex: '0014aa', type: 'witness_v0_keyhash' } }],
  };
  const header = { hash: HASH, height: 7, time: 1_795_971_951, previousblockhash: HASH, confirmations: 1 };
  answers = { getblock: { result: { ...header, tx: [transaction], nTx: 1 } } };
  const core = await node().block(HASH);
  answers = { getblock: { result: { ...header, rawtx: [transaction] }, error: null } };
  expect(await node().block(HASH)).toEqual(core);
  expect(core.transactions).toEqual([
    { txid: HASH, inputs: [`${HASH}:3`], outputs: [{ script: '0014aa', amount: 10_000_000 }] },
  ]);
});

test('an amount in bitcoin is exact to the satoshi', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: ALL_SATOSHI }), (satoshi) => {
      const digits = String(satoshi).padStart(9, '0');
      expect(satoshiOf(Number(`${digits.slice(0, -8)}.${digits.slice(-8)}`))).toBe(satoshi);
    }),
  );
});

test('a node that is starting, rejects the password, answers something else or is of another network says which', async () => {
  answers = { getblockchaininfo: { error: { code: -28, message: 'Loading block index...' } } };
  await expect(node().tip()).rejects.toMatchObject({
    code: 'node_unreachable',
    message: expect.stringMatching(/Loading block index/),
  });
  refusal = { status: 401, body: '' };
  await expect(node().tip()).rejects.toMatchObject({
    code: 'node_refused',
    message: expect.stringMatching(/check user and password/),
  });
  refusal = { status: 200, body: '<html>' };
  const html = await node()
    .tip()
    .catch((error: unknown) => error);
  expect(html).toMatchObject({
    code: 'node_refused',
    message: expect.stringMatching(/did not answer a batch of JSON-RPC: <html>/),
  });
  expect(String(html)).not.toContain('secret');
  refusal = undefined;
  answers = { getblockhash: { result: '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f' } };
  await expect(requireNetwork(node(), 'signet')).rejects.toThrow(
    /The node is of mainnet, and this environment takes payments on signet/,
  );
  await expect(requireNetwork(node(), 'mainnet')).resolves.toBeUndefined();
});

test('an address has the script of its kind, and a changed character or another network is refused', () => {
  // From BIP 173, BIP 350 and the first block.
  expect(scriptOf('bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', 'mainnet')).toBe(
    '0014751e76e8199196d454941c45d1b3a323f1433bd6',
  );
  expect(scriptOf('BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4', 'mainnet')).toBe(
    '0014751e76e8199196d454941c45d1b3a323f1433bd6',
  );
  expect(scriptOf('1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa', 'mainnet')).toBe(
    '76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac',
  );
  for (const wrong of ['bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5', '1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb', '', 'btc']) {
    expect(() => scriptOf(wrong, 'mainnet')).toThrow(/^address: expected an address of mainnet whose checksum matches/);
  }
  expect(() => scriptOf('bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', 'testnet4')).toThrow(/of testnet4/);
});

test('over TLS, the certificate of the secret is trusted and no other, and the password goes nowhere else', async () => {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  });
  const seen: unknown[] = [];
  const secure = createTlsServer({ key, cert }, (request, response) => {
    seen.push(request.headers.authorization);
    request.resume();
    response.end(JSON.stringify([{ id: 0, result: [], error: null }]));
  });
  await new Promise<void>((resolve) => secure.listen(0, 'localhost', resolve));
  const url = `https://localhost:${(secure.address() as AddressInfo).port}`;
  const credentials = { username: 'u', password: 'secret' };
  const trusting = createNode(createRpc({ url, credentials: { ...credentials, ca: cert }, pausesMs: [] }));
  const strict = createNode(createRpc({ url, credentials, pausesMs: [] }));
  await expect(trusting.mempool()).resolves.toEqual([]);
  await expect(strict.mempool()).rejects.toMatchObject({
    code: 'node_unreachable',
    message: expect.stringMatching(/certificate/),
  });
  expect(seen).toEqual([`Basic ${Buffer.from('u:secret').toString('base64')}`]);
  secure.close();
});
