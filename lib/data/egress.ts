/** The public addresses of functions in the network, as the firewall takes them. */
export type Egress =
  /** Of an IP set of the firewall. */
  | { readonly ipSetArn: string }
  /** Ranges that the settings name. */
  | { readonly addresses: readonly string[] };
