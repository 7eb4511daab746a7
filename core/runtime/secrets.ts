import { SecretsProvider } from '@aws-lambda-powertools/parameters/secrets';
import * as z from 'zod';
import { ConfigurationError, OperationError } from './errors';

/**
 * Seconds that a secret is kept in memory. Longer delays the moment at which a rotated secret is noticed; shorter costs
 * a call to Secrets Manager more often. A refused password is looked up at once, whatever this says.
 */
const CACHE_SECONDS = 60;

/**
 * Which value of a secret: the one in memory, at most {@link CACHE_SECONDS} old; the current one, looked up; or the one
 * that a rotation is about to make current; or the one before, whose user alternates with the current one. A rotation sets a password in the database first and makes it current some
 * seconds later; in between, only the pending value opens the database.
 */
export type SecretVersion = 'cached' | 'current' | 'pending' | 'previous';

const STAGES = { pending: 'AWSPENDING', previous: 'AWSPREVIOUS' } as const;

/** Reads JSON secrets. */
export interface Secrets {
  /**
   * A cached value without the right fields is looked up again: an operator may just have filled it in.
   *
   * @param version @default 'cached'
   * @throws OperationError `secret_unavailable` (retryable) when Secrets Manager does not answer, or has no such version
   * @throws ConfigurationError when the secret's fields are missing; it names them, never their values
   */
  read<Schema extends z.ZodType>(secretArn: string, schema: Schema, version?: SecretVersion): Promise<z.infer<Schema>>;
}

export function createSecrets(provider: SecretsProvider = new SecretsProvider()): Secrets {
  async function fetch(secretArn: string, version: SecretVersion): Promise<unknown> {
    try {
      return await provider.get(secretArn, {
        transform: 'json',
        forceFetch: version !== 'cached',
        // A pending value may never become current, and a previous one no longer is: neither is kept.
        ...(version === 'pending' || version === 'previous'
          ? { maxAge: 0, sdkOptions: { VersionStage: STAGES[version] } }
          : { maxAge: CACHE_SECONDS }),
      });
    } catch (cause) {
      throw new OperationError('secret_unavailable', `Secret ${secretArn} could not be read as JSON`, { cause });
    }
  }

  return {
    async read(secretArn, schema, version = 'cached') {
      let parsed = schema.safeParse(await fetch(secretArn, version));
      if (!parsed.success && version === 'cached') parsed = schema.safeParse(await fetch(secretArn, 'current'));
      if (parsed.success) return parsed.data;
      const fields = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'value'}: ${issue.message}`);
      throw new ConfigurationError(`Secret ${secretArn} is malformed: ${fields.join('; ')}`);
    },
  };
}
