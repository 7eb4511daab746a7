/**
 * Name of a Systems Manager parameter of an environment: what other stacks, and applications, read of it. It is read when the
 * reader is deployed, so unlike an export it may change or go while it is in use.
 *
 * @param what path below the environment, such as `databases/main/host`
 */
export function parameterName(environmentName: string, what: string): string {
  return `/billing-operations/${environmentName}/${what}`;
}
