import type { BitcoinNetwork } from './contract';

/** How addresses of a network begin, and its first block. */
export interface NetworkParameters {
  /** Of addresses by BIP 173 and BIP 350. */
  readonly bech32: string;
  /** Version bytes of addresses in base 58. */
  readonly pubKeyHash: number;
  readonly scriptHash: number;
  readonly wif: number;
  /** Hash of the first block, by which a node of another network is known. */
  readonly genesis: string;
}

const TEST_ADDRESSES = { pubKeyHash: 0x6f, scriptHash: 0xc4, wif: 0xef } as const;

/** From `chainparams.cpp` of Bitcoin Core, and `chaincfg/params.go` of btcd for simnet. */
export const NETWORKS: Readonly<Record<BitcoinNetwork, NetworkParameters>> = {
  mainnet: {
    bech32: 'bc',
    pubKeyHash: 0x00,
    scriptHash: 0x05,
    wif: 0x80,
    genesis: '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f',
  },
  testnet3: {
    bech32: 'tb',
    ...TEST_ADDRESSES,
    genesis: '000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943',
  },
  testnet4: {
    bech32: 'tb',
    ...TEST_ADDRESSES,
    genesis: '00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043',
  },
  signet: {
    bech32: 'tb',
    ...TEST_ADDRESSES,
    genesis: '00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6',
  },
  regtest: {
    bech32: 'bcrt',
    ...TEST_ADDRESSES,
    genesis: '0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206',
  },
  simnet: {
    bech32: 'sb',
    pubKeyHash: 0x3f,
    scriptHash: 0x7b,
    wif: 0x64,
    genesis: '683e86bd5c6d110d91b94b97137ba6bfe02dbbdb8e3dff722a669b5d69d77af6',
  },
};
