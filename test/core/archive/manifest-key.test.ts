import { openManifestKey } from '../../../core/archive/manifest-key';
import { serveManifestKey, type ServedManifestKey, SIGNING_KEY_ARN } from '../../support/archive-key';

const MANIFEST = Buffer.from('{"format": "billing-operations-archive"}');
let served: ServedManifestKey;

beforeAll(async () => {
  served = await serveManifestKey();
});
afterAll(() => served.stop());

test('a signature is one of exactly these bytes, by this key', async () => {
  const signature = await served.key.sign(MANIFEST);
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const other = openManifestKey(`${SIGNING_KEY_ARN}-other`, {
    endpoint: served.endpoint,
    region: 'eu-central-1',
    credentials,
  });
  await expect(served.key.verify(MANIFEST, signature)).resolves.toBe(true);
  await expect(served.key.verify(Buffer.concat([MANIFEST, Buffer.from(' ')]), signature)).resolves.toBe(false);
  await expect(served.key.verify(MANIFEST, await other.sign(MANIFEST))).resolves.toBe(false);
  for (const malformed of ['', 'no signature', signature.subarray(1)]) {
    await expect(served.key.verify(MANIFEST, Buffer.from(malformed))).resolves.toBe(false);
  }
});

test('a KMS that does not answer is an error that may pass, and the public key is asked for again', async () => {
  let up = false;
  const endpoint = async () => {
    const { hostname, port } = new URL(up ? served.endpoint : 'http://127.0.0.1:9');
    return { protocol: 'http:', hostname, port: Number(port), path: '/' };
  };
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const key = openManifestKey(SIGNING_KEY_ARN, { endpoint, region: 'eu-central-1', credentials, maxAttempts: 1 });
  const signature = await served.key.sign(MANIFEST);
  const unavailable = { code: 'signing_key_unavailable', retryable: true };
  await expect(key.sign(MANIFEST)).rejects.toMatchObject(unavailable);
  await expect(key.verify(MANIFEST, signature)).rejects.toMatchObject(unavailable);
  up = true;
  await expect(key.verify(MANIFEST, signature)).resolves.toBe(true);
});
