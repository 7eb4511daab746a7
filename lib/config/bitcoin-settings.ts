import * as z from 'zod';
import { BITCOIN_NETWORKS, MAX_CONFIRMATIONS } from '../../core/providers/bitcoin/contract';
import { flag, keyArn, missing, secretArn, text, whole } from './fields';

const RANGE = 'must be a range such as `10.20.3.4/32`';

/** Payments in bitcoin. */
export const bitcoin = z.strictObject(
  {
    network: z
      .enum(BITCOIN_NETWORKS, { error: `must be one of ${BITCOIN_NETWORKS.join(', ')}` })
      .describe('Network of the addresses and of the node. A database is of one network for good.'),
    nodeUrl: text(
      'must be a URL such as `https://node.example.com:8332`, without user, password and path: those are in the secret',
      /^https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?\/?$/,
    ).describe('JSON-RPC of a node of yours, Bitcoin Core or btcd, with `txindex`.'),
    nodePlaintext: flag
      .default(false)
      .describe(
        'Speak to the node without TLS, which `http://` in `nodeUrl` asks for: for a node, or its proxy, inside the private network only. Whoever is on the way reads the password and may invent payments.',
      ),
    nodeCidrs: z
      .array(z.cidrv4({ error: RANGE }))
      .default([])
      .describe('Addresses of the node, which the function may then reach at its port and no others. Left out: any.'),
    secretArn: secretArn.describe(
      'Secret with `username` and `password` of the JSON-RPC, and `ca` where no public authority signed its certificate.',
    ),
    secretKeyArn: keyArn
      .optional()
      .describe('Customer-managed key of that secret. Left out: the key of Secrets Manager.'),
    confirmations: whole(1, MAX_CONFIRMATIONS)
      .default(3)
      .describe(
        'Blocks on a payment, its own included, from which on it is settled, where the application asks for no other number. Fewer give access that a reorganisation takes back; each more takes ten minutes.',
      ),
    targetMinutes: whole(10, 24 * 60)
      .default(90)
      .describe(
        'Mean minutes from the first sight of a payment to its settlement above which an alarm rings. Three blocks take half an hour; a fee that is too low for the day takes hours.',
      ),
    reorganisationBlocks: whole(1, 100)
      .default(2)
      .describe(
        'Blocks that a reorganisation may take back before an alarm rings. One happens some times a year; more than two means that the network is split, or attacked.',
      ),
  },
  missing('must be { network, nodeUrl, secretArn } at least'),
);
export type BitcoinConfig = z.output<typeof bitcoin>;

/** Port of the node's JSON-RPC. */
export function nodePort({ nodeUrl }: Pick<BitcoinConfig, 'nodeUrl'>): number {
  const { port, protocol } = new URL(nodeUrl);
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : 80;
}
