import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { GetPublicKeyCommand, KMSClient, type KMSClientConfig, SignCommand } from '@aws-sdk/client-kms';
import { messageOf, OperationError } from '../runtime/errors';

/** The key pair by which an environment knows the manifests that its own backups wrote. */
export interface ManifestKey {
  /** @returns the signature of {@link signedText}, in the form that OpenSSL reads */
  sign(manifest: Uint8Array): Promise<Buffer>;
  /** @returns whether the signature is one of this key, of exactly these bytes */
  verify(manifest: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/**
 * What is signed of a manifest: the line that `sha256sum manifest.json` prints. KMS takes 4 KiB at most, which is less than a
 * manifest has, and a person can check the line with OpenSSL.
 */
export function signedText(manifest: Uint8Array): Buffer {
  return Buffer.from(`${createHash('sha256').update(manifest).digest('hex')}  manifest.json\n`);
}

/** A manifest needs one call, and a listing one altogether: KMS may be slow once, not silent. */
const TIMEOUTS = { connectionTimeout: 3_000, socketTimeout: 10_000 };

/**
 * A key of KMS: ECC on the curve P-256. Only the backup may sign with it. Its public half is read once and kept, so that
 * listing hundreds of archives takes one call.
 */
class KmsManifestKey implements ManifestKey {
  private readonly kms: KMSClient;
  private publicKey: Promise<KeyObject> | undefined;

  constructor(
    private readonly keyArn: string,
    config: KMSClientConfig,
  ) {
    this.kms = new KMSClient({ requestHandler: TIMEOUTS, ...config });
  }

  async sign(manifest: Uint8Array): Promise<Buffer> {
    const signed = await this.kms
      .send(
        new SignCommand({
          KeyId: this.keyArn,
          SigningAlgorithm: 'ECDSA_SHA_256',
          MessageType: 'RAW',
          Message: signedText(manifest),
        }),
      )
      .catch((cause: unknown) => {
        throw this.unavailable('sign a manifest', cause);
      });
    return Buffer.from(signed.Signature ?? []);
  }

  async verify(manifest: Uint8Array, signature: Uint8Array): Promise<boolean> {
    this.publicKey ??= this.fetchPublicKey();
    const key = await this.publicKey.catch((error: unknown) => {
      // The next call tries again.
      this.publicKey = undefined;
      throw error;
    });
    return verify('sha256', signedText(manifest), key, signature);
  }

  private async fetchPublicKey(): Promise<KeyObject> {
    try {
      const { PublicKey } = await this.kms.send(new GetPublicKeyCommand({ KeyId: this.keyArn }));
      return createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' });
    } catch (cause) {
      throw this.unavailable('read the public key', cause);
    }
  }

  private unavailable(what: string, cause: unknown): OperationError {
    return new OperationError(
      'signing_key_unavailable',
      `KMS did not ${what} of the archives, with key ${this.keyArn}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/**
 * Opens the signing key of an environment.
 *
 * @param config of the client, for another server than KMS
 */
export function openManifestKey(keyArn: string, config: KMSClientConfig = {}): ManifestKey {
  return new KmsManifestKey(keyArn, config);
}
