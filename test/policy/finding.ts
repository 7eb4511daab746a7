/** What a tool objects to, whether somebody accepted it or not. */
export interface Finding {
  /** Full id of the rule, as it would be acknowledged. */
  readonly id: string;
  /** Path of the resource in the tree of constructs. */
  readonly path: string;
  readonly message: string;
}

/** Every finding on a line of its own, to be read in the message of a failed test. */
export function describeFindings(findings: readonly Finding[]): string[] {
  return findings.map(({ id, path, message }) => `${id} at ${path}: ${message}`);
}
