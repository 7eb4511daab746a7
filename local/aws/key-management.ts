import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody, startHttpServer, type HttpServer } from '../runtime/http-server';

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
  return startHttpServer(async (request, response) => {
    const [, action = ''] = String(request.headers['x-amz-target'] ?? '').split('.');
    const input = await readJson(request);
    const { KeyId = '', Message = '', MessageType = 'RAW', SigningAlgorithm } = input ?? {};
    const base = { KeyId, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' };
    if (action === 'GetPublicKey') {
      const PublicKey = keyOf(KeyId).publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
      return answer(response, 200, { ...base, PublicKey, SigningAlgorithms: [ALGORITHM] });
    }
    if (action !== 'Sign' || MessageType !== 'RAW' || SigningAlgorithm !== ALGORITHM) {
      const message = `This stand-in for KMS has GetPublicKey, and Sign of raw messages by ${ALGORITHM}.`;
      return answer(response, 400, { __type: 'UnsupportedOperationException', message });
    }
    const Signature = sign('sha256', Buffer.from(Message, 'base64'), keyOf(KeyId).privateKey).toString('base64');
    return answer(response, 200, { KeyId, Signature, SigningAlgorithm });
  });
}

async function readJson(request: IncomingMessage): Promise<ServiceRequest | undefined> {
  const body = await readBody(request, MAX_REQUEST_BYTES);
  return body === undefined ? undefined : (JSON.parse(body.toString('utf8')) as ServiceRequest);
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
  response.end(JSON.stringify(body));
}
