import { ListSecretVersionIdsCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { OperationError } from './errors';

/**
 * When the current value was put into a secret. The date on which the secret was changed would move with every tag.
 *
 * @throws OperationError `secret_undated` when no version is the current one
 */
export async function currentSince(client: SecretsManagerClient, secretArn: string): Promise<Date> {
  // A secret has a handful of versions, of which those without a stage are left out: one page holds them.
  const { Versions = [] } = await client.send(new ListSecretVersionIdsCommand({ SecretId: secretArn }));
  const current = Versions.find(({ VersionStages = [] }) => VersionStages.includes('AWSCURRENT'));
  if (current?.CreatedDate) return current.CreatedDate;
  throw new OperationError('secret_undated', `Secrets Manager lists no current version of ${secretArn}`);
}
