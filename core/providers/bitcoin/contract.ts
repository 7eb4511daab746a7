/** Networks that a payment may be expected on. */
export const BITCOIN_NETWORKS = ['mainnet', 'testnet3', 'testnet4', 'signet', 'regtest', 'simnet'] as const;
export type BitcoinNetwork = (typeof BITCOIN_NETWORKS)[number];

/** Satoshi of a bitcoin. */
export const SATOSHI = 100_000_000;
/** Satoshi that no amount reaches: 21 million bitcoin. */
export const ALL_SATOSHI = 21_000_000 * SATOSHI;
/** Most confirmations that may be asked for: as many as a mined coin needs before it can be spent. */
export const MAX_CONFIRMATIONS = 100;

/** What a payment can be, in the order of its life. docs/bitcoin.md explains each. */
export const BITCOIN_STATUSES = [
  'pending',
  'seen',
  'confirmed',
  'settled',
  'underpaid',
  'late',
  'expired',
  'failed',
] as const;
export type BitcoinStatus = (typeof BITCOIN_STATUSES)[number];

/** Variables of a function that knows what payments in bitcoin are like here. */
export interface BitcoinEnvironment {
  /** One of {@link BITCOIN_NETWORKS}. */
  readonly BITCOIN_NETWORK: string;
  /** Confirmations of payments that ask for no number of their own. */
  readonly BITCOIN_CONFIRMATIONS: string;
}
