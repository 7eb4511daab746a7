import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Context } from './context';
import { CommandError } from './errors';

/** A secret that is to get a new value. */
export interface StoredSecret {
  readonly client: SecretsManagerClient;
  readonly arn: string;
  /** Version that is current. */
  readonly versionId: string;
  /** Its fields. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Stores a key as the pending version, has the platform call Stripe with it, and makes it current only when Stripe lets it
 * read everything that the platform reads.
 *
 * @param isProven whether to prove it; without, it is current at once
 * @returns the new version, and what was proven
 * @throws CommandError `refused` with what Stripe refuses; the former key then stays the current one
 */
export async function putApiKey(
  context: Context,
  { client, arn, versionId, fields }: StoredSecret,
  apiKey: string,
  isProven: boolean,
): Promise<{ readonly versionId: string; readonly proof: string | null }> {
  const { PutSecretValueCommand, UpdateSecretVersionStageCommand } = await import('@aws-sdk/client-secrets-manager');
  const SecretString = JSON.stringify({ ...fields, apiKey });
  const { VersionId: pending = '' } = await client.send(
    new PutSecretValueCommand({
      SecretId: arn,
      SecretString,
      VersionStages: [isProven ? 'AWSPENDING' : 'AWSCURRENT'],
    }),
  );
  if (!isProven) return { versionId: pending, proof: null };
  const update = (input: { VersionStage: string; MoveToVersionId?: string; RemoveFromVersionId: string }) =>
    client.send(new UpdateSecretVersionStageCommand({ SecretId: arn, ...input }));
  try {
    const proof = await proveApiKey(context);
    await update({ VersionStage: 'AWSCURRENT', MoveToVersionId: pending, RemoveFromVersionId: versionId });
    return { versionId: pending, proof };
  } finally {
    await update({ VersionStage: 'AWSPENDING', RemoveFromVersionId: pending });
  }
}

async function proveApiKey({ invoke, note }: Context): Promise<string> {
  const { contract, checkReport } = await import('../lambdas/replay/contract');
  note('Calling Stripe with the new key, before it becomes current');
  const check = { ...contract, report: checkReport };
  const { permissions, apiVersion } = await invoke('replay', check, { action: 'check', key: 'pending' });
  const refused = permissions.filter(({ refusal }) => refusal !== null);
  if (refused.length > 0) {
    const reason = refused[0]?.refusal ?? '';
    const names = refused.map(({ name }) => name).join(', ');
    throw new CommandError(
      'refused',
      refused.length === permissions.length
        ? `The former key stays: the new one may read nothing (${reason})`
        : `The former key stays: the new one may not read ${names} (${reason}). Give it these permissions in Stripe’s dashboard`,
    );
  }
  return `Stripe let it read all ${permissions.length} kinds of objects, API version ${apiVersion}`;
}
