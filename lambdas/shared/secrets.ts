import { SecretsProvider } from '@aws-lambda-powertools/parameters/secrets';
import { z } from 'zod';
import { ConfigurationError, OperationError } from './errors';

/**
 * Seconds that a secret is kept in memory. Longer delays the moment at which a rotated secret is noticed; shorter costs
 * a call to Secrets Manager more often. A refused password is looked up at once, whatever this says.
 */
const CACHE_SECONDS = 60;

/** Reads JSON secrets. */
export interface Secrets {
  /**
   * @param fresh skip the cache, because the cached value was just refused
   * @throws OperationError `secret_unavailable` (retryable) when Secrets Manager does not answer
   * @throws ConfigurationError when the secret's fields are missing; it names them, never their values
   */
  read<Schema extends z.ZodType>(secretArn: string, schema: Schema, fresh?: boolean): Promise<z.infer<Schema>>;
}

export function createSecrets(provider: SecretsProvider = new SecretsProvider()): Secrets {
  return {
    async read(secretArn, schema, fresh = false) {
      let value: unknown;
      try {
        value = await provider.get(secretArn, { maxAge: CACHE_SECONDS, transform: 'json', forceFetch: fresh });
      } catch (cause) {
        throw new OperationError('secret_unavailable', `Secret ${secretArn} could not be read as JSON`, {
          retryable: true,
          cause,
        });
      }
      const parsed = schema.safeParse(value);
      if (parsed.success) return parsed.data;
      const fields = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'value'}: ${issue.message}`);
      throw new ConfigurationError(`Secret ${secretArn} is malformed: ${fields.join('; ')}`);
    },
  };
}
