import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { type ManifestKey, openManifestKey, signedText } from '../../core/archive/manifest-key';
import { startKeyManagement } from '../../local/aws/key-management';

/** A key pair of this process, in place of one of KMS. */
export interface TestManifestKey extends ManifestKey {
  /** For OpenSSL. */
  readonly publicKeyPem: string;
}

export function createManifestKey(): TestManifestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    publicKeyPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    sign: async (manifest) => sign('sha256', signedText(manifest), privateKey),
    verify: async (manifest, signature) => verify('sha256', signedText(manifest), publicKey, signature),
  };
}

/** What functions in processes of their own name their key. */
export const SIGNING_KEY_ARN = 'arn:aws:kms:eu-central-1:111111111111:key/archives';

/** A key that functions in processes of their own share with this one, behind an endpoint of KMS. */
export interface ServedManifestKey {
  readonly endpoint: string;
  readonly key: ManifestKey;
  readonly stop: () => Promise<void>;
}

export async function serveManifestKey(): Promise<ServedManifestKey> {
  const { url, stop } = await startKeyManagement();
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  return {
    endpoint: url,
    key: openManifestKey(SIGNING_KEY_ARN, { endpoint: url, region: 'eu-central-1', credentials }),
    stop,
  };
}
