import { Address, OutScript } from '@scure/btc-signer';
import { InvalidRequestError } from '../../runtime/errors';
import type { BitcoinNetwork } from './contract';
import { NETWORKS } from './networks';

/**
 * The output script of an address, in hexadecimal: what the outputs of transactions are compared with.
 *
 * @throws InvalidRequestError when a checksum does not match, or the address is of another network or of no known kind
 */
export function scriptOf(address: string, network: BitcoinNetwork): string {
  try {
    return Buffer.from(OutScript.encode(Address(NETWORKS[network]).decode(address))).toString('hex');
  } catch (cause) {
    throw new InvalidRequestError(
      `address: expected an address of ${network} whose checksum matches, such as one that a wallet shows; check that no character was changed and that the wallet is of ${network}`,
      cause,
    );
  }
}
