import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { HttpServer } from '../runtime/http-server';
import { ServiceError, startJsonService } from './json-service';

/** More than KMS takes of a message, as base64. */
const MAX_REQUEST_BYTES = 16_384;
const ALGORITHM = 'ECDSA_SHA_256';

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

interface ServiceRequest {
  readonly KeyId?: string;
  readonly Message?: string;
  readonly MessageType?: string;
  readonly SigningAlgorithm?: string;
}

/**
 * Serves the two actions of KMS that archives are signed and verified with. A key is made when it is first named, and lives
 * as long as the server: as long as the objects of the local S3.
 */
export function startKeyManagement(): Promise<HttpServer> {
  const keys = new Map<string, KeyPair>();
  const keyOf = (id: string): KeyPair => {
    const known = keys.get(id) ?? generateKeyPairSync('ec', { namedCurve: 'P-256' });
    keys.set(id, known);
    return known;
  };
  return startJsonService({
    maxRequestBytes: MAX_REQUEST_BYTES,
    act(action, { KeyId = '', Message = '', MessageType = 'RAW', SigningAlgorithm }: ServiceRequest) {
      const base = { KeyId, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' };
      if (action === 'GetPublicKey') {
        const PublicKey = keyOf(KeyId).publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
        return { ...base, PublicKey, SigningAlgorithms: [ALGORITHM] };
      }
      if (action !== 'Sign' || MessageType !== 'RAW' || SigningAlgorithm !== ALGORITHM) {
        const message = `This stand-in for KMS has GetPublicKey, and Sign of raw messages by ${ALGORITHM}.`;
        throw new ServiceError('UnsupportedOperationException', message);
      }
      const Signature = sign('sha256', Buffer.from(Message, 'base64'), keyOf(KeyId).privateKey).toString('base64');
      return { KeyId, Signature, SigningAlgorithm };
    },
  });
}
