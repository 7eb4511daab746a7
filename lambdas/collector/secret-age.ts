import { ListSecretVersionIdsCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { OperationError } from '../../core/runtime/errors';

/**
 * When the value in use was put into a secret. Not the date on which the secret was changed: that one moves with a tag.
 *
 * @throws OperationError `secret_undated` when no version is the current one
 */
export async function currentSince(client: SecretsManagerClient, secretArn: string): Promise<Date> {
  // A secret has a handful of versions, of which those without a stage are left out: one page holds them.
  const { Versions = [] } = await client.send(new ListSecretVersionIdsCommand({ SecretId: secretArn }));
  const current = Versions.find(({ VersionStages = [] }) => VersionStages.includes('AWSCURRENT'));
  if (current?.CreatedDate) return current.CreatedDate;
  throw new OperationError('secret_undated', `Secrets Manager tells no current version of ${secretArn}`);
}
