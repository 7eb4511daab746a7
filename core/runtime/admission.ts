import type { OperationContract } from './contract';
import { OperationError } from './errors';

/** Parts of the ARN of a function. The version or alias that it was invoked by is one more. */
const FUNCTION_ARN_PARTS = 7;

/**
 * Refuses a request that the alias of the invocation does not admit. Lambda sets the ARN, which no caller can, and IAM decides
 * who may invoke which alias: so a role that may invoke an alias alone is held to the form that the contract gives for it.
 *
 * @param invokedArn `invokedFunctionArn` of Lambda's context
 * @throws OperationError `not_admitted`, naming the fields
 */
export function assertAdmitted(
  { aliases = {} }: OperationContract,
  invokedArn: string | undefined,
  event: unknown,
): void {
  const alias = invokedArn?.split(':')[FUNCTION_ARN_PARTS];
  if (alias === undefined || alias === '$LATEST') return;
  const admitted = Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
  if (admitted === undefined) {
    throw new OperationError('not_admitted', `Nothing is answered through the alias or version ${alias}`);
  }
  const result = admitted.safeParse(event);
  if (result.success) return;
  const fields = result.error.issues.map(({ path }) => path.join('.') || 'request');
  throw new OperationError(
    'not_admitted',
    `Callers of the alias ${alias} may not ask this: ${[...new Set(fields)].join(', ')}`,
  );
}
