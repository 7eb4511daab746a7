import { rdsHost } from '../residency/contract';
import { InvalidRequestError } from '../runtime/errors';

/**
 * What the hosts of all RDS instances of the account in the region end with; `undefined` for a host outside of RDS, an alias of
 * one, and the address of a proxy. A configuration may have it in capitals.
 */
export function rdsSuffixOf(host: string): string | undefined {
  return rdsHost(host)?.suffix;
}

/**
 * Requires that a host in a request may be sent the password of the live database: where that runs on RDS, an instance of
 * the same account and region.
 *
 * @param field name of the host in the request
 * @throws InvalidRequestError naming the field
 */
export function assertHostBeside(live: string, host: string, field: string): void {
  const suffix = rdsSuffixOf(live);
  if (suffix === undefined || rdsSuffixOf(host) === suffix) return;
  throw new InvalidRequestError(
    `${field}: expected an instance of the account and region of the live one, <identifier>.${suffix}`,
  );
}

/**
 * Requires that a host in a request is that of a copy which the workflow of large archives made of an instance: also beside a
 * live host that says nothing of its account, as a proxy's address and an alias (a CNAME of one's own) do not. RDS gives the
 * copy a host in the region of the function, whatever the live one is called.
 *
 * @param field name of the host in the request
 * @param region of the function, such as `eu-central-1`; undefined outside of Lambda
 * @throws InvalidRequestError naming the field
 */
export function assertArchiveCopy(
  instanceIdentifier: string,
  host: string,
  field: string,
  region: string | undefined,
): void {
  const copyRegion = rdsHost(host)?.region;
  const isOfRegion = copyRegion !== undefined && (region === undefined || copyRegion === region);
  if (isOfRegion && host.startsWith(`${instanceIdentifier}-archive-`)) return;
  throw new InvalidRequestError(
    `${field}: expected the copy that the workflow made, ${instanceIdentifier}-archive-….${region === undefined ? '' : `${region}.`}rds.amazonaws.com`,
  );
}
