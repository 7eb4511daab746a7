/**
 * Rules of the firewall that count signed requests to a webhook endpoint: the first before the rules that block, the last
 * behind them. What the first one counts and the last one does not was blocked. Neither admits anything: anybody can send a
 * header with a signature.
 */
export const COUNTING_RULES = { arriving: 'SignedDeliveries', admitted: 'AdmittedDeliveries' } as const;

/** Name of the firewall, which its metrics carry. */
export function webAclName(environmentName: string): string {
  return `BillingOps-${environmentName}`;
}
