import { defineEnvironment, type EnvironmentInput } from '../../../lib/config/environment-schema';
import { BITCOIN } from '../../support/example-environments';
import { localEnvironment } from '../../../lib/config/built-environments';
import { localOptions } from '../support';

const local = localEnvironment(localOptions());
const valid = { ...local, name: 'dev' };
const secretArn = BITCOIN.secretArn.replace('333333333333', local.account);
const withBitcoin = (change: object) =>
  defineEnvironment({ ...valid, bitcoin: { ...BITCOIN, secretArn, ...change } } as unknown as EnvironmentInput);

test('what is left out of payments in bitcoin gets its default', () => {
  expect(withBitcoin({}).bitcoin).toMatchObject({
    confirmations: 3,
    targetMinutes: 90,
    reorganisationBlocks: 2,
    nodePlaintext: false,
  });
});

test.each([
  [
    'an unknown network',
    { network: 'mainet' },
    'bitcoin.network must be one of mainnet, testnet3, testnet4, signet, regtest, simnet, got "mainet"',
  ],
  [
    'a node without TLS',
    { nodeUrl: 'http://10.0.0.8:8332' },
    'bitcoin.nodeUrl must begin with `https://`, or `nodePlaintext` must be true',
  ],
  [
    'TLS that is said to be none',
    { nodePlaintext: true },
    'bitcoin.nodePlaintext must be left out where `nodeUrl` begins with `https://`',
  ],
  [
    'a password in the URL',
    { nodeUrl: 'https://rpc:secret@node.example.com' },
    'bitcoin.nodeUrl must be a URL such as `https://node.example.com:8332`, without user, password and path',
  ],
  ['no confirmation', { confirmations: 0 }, 'bitcoin.confirmations must be 1–100, got 0'],
  ['an address without its range', { nodeCidrs: ['10.0.0.8'] }, 'bitcoin.nodeCidrs.0 must be a range such as'],
  ['a name for an ARN', { secretArn: 'bitcoin-node' }, 'bitcoin.secretArn must be a complete secret ARN'],
])('%s is refused, naming the field and the form', (_, change, problem) => {
  expect(() => withBitcoin(change)).toThrow(problem);
});
