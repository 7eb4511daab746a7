import { isDeepStrictEqual } from 'node:util';
import type * as z from 'zod';
import { ConfigurationError } from './errors';
import type { Secrets, SecretVersion } from './secrets';

/** Looks for another value than the one that was refused; `undefined` when there is none. */
export type Renew<Value> = (refused: Value) => Promise<Value | undefined>;

/**
 * Looks in a secret for another value than the one that was refused.
 *
 * @param versions in the order in which they are looked at. @default the current one
 * @returns what throws OperationError `secret_unavailable` (retryable) when Secrets Manager does not answer
 */
export function renewFrom<Schema extends z.ZodType>(
  secrets: Secrets,
  secretArn: string,
  schema: Schema,
  versions: readonly SecretVersion[] = ['current'],
): Renew<z.infer<Schema>> {
  return async (refused) => {
    for (const version of versions) {
      const found = await secrets.read(secretArn, schema, version).catch((error: unknown) => {
        if (version === 'previous' && isNoValue(error)) return undefined;
        throw error;
      });
      if (found !== undefined && !isDeepStrictEqual(found, refused)) return found;
    }
    return undefined;
  };
}

/** Errors of a version that was never there, as of most secrets, or that is no JSON. Others, such as throttling, say nothing of the version. */
const NO_VALUE = ['ResourceNotFoundException', 'TransformParameterError'];

/** Whether a secret has no such version, or one that was never usable. */
function isNoValue(error: unknown): boolean {
  if (error instanceof ConfigurationError) return true;
  // The reader of secrets wraps what Secrets Manager answers.
  for (let at = error; at instanceof Error; at = at.cause) if (NO_VALUE.includes(at.name)) return true;
  return false;
}

/** A secret that a client holds for as long as it works, and replaces when the other side refuses it: it was rotated meanwhile. */
export class HeldSecret<Value> {
  private renewing: Promise<boolean> | undefined;

  /** @param renew @default nothing replaces it */
  constructor(
    private held: Value,
    private readonly renew: Renew<Value> = () => Promise.resolve(undefined),
  ) {}

  get value(): Value {
    return this.held;
  }

  /**
   * Replaces a value that was refused. Several requests may have been refused at once: the first looks, the others wait for it.
   *
   * @returns whether there is another value to try
   */
  async replace(refused: Value): Promise<boolean> {
    if (this.held !== refused) return true;
    this.renewing ??= this.look(refused).finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  private async look(refused: Value): Promise<boolean> {
    const found = await this.renew(refused);
    if (found === undefined) return false;
    this.held = found;
    return true;
  }
}
