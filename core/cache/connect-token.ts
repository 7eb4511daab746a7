import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { ConfigurationError } from '../runtime/errors';

/** Seconds for which the cache takes a token; a connection that it let in stays open for twelve hours. */
const EXPIRES_SECONDS = 900;

/** The environment that Lambda gives a function, or a test. */
export type AwsEnvironment = Readonly<Record<string, string | undefined>>;

/** SHA-256 as the signer of the SDK takes it. */
class Sha256 {
  private readonly hash: Hash | Hmac;

  constructor(secret?: Parameters<Hash['update']>[0] | ArrayBuffer | ArrayBufferView) {
    const key = secret instanceof ArrayBuffer ? new Uint8Array(secret) : secret;
    this.hash = key === undefined ? createHash('sha256') : createHmac('sha256', key as Uint8Array | string);
  }

  update(data: Parameters<Hash['update']>[0]): void {
    this.hash.update(data);
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.hash.digest()));
  }

  reset(): void {
    throw new Error('The signer makes a new one for each signature');
  }
}

/**
 * The password by which a function is let into a serverless cache of ElastiCache: a signed request that is never sent. It is signed
 * with the function's own credentials, here; nothing is called.
 *
 * @param user the user's id, which is also the name of the cache
 * @see https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
 * @throws ConfigurationError when there are no credentials
 */
export async function connectToken(
  user: string,
  now: Date,
  environment: AwsEnvironment = process.env,
): Promise<string> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region } = environment;
  if (!accessKeyId || !secretAccessKey || !region) {
    throw new ConfigurationError(
      'AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION: expected the credentials and the region of the function',
    );
  }
  const signer = new SignatureV4({
    service: 'elasticache',
    region,
    sha256: Sha256,
    credentials: { accessKeyId, secretAccessKey, sessionToken: environment.AWS_SESSION_TOKEN },
  });
  const { query = {} } = await signer.presign(
    {
      method: 'GET',
      protocol: 'https:',
      hostname: user,
      path: '/',
      query: { Action: 'connect', ResourceType: 'ServerlessCache', User: user },
      headers: { host: user },
    },
    { expiresIn: EXPIRES_SECONDS, signingDate: now },
  );
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return `${user}/?${pairs.join('&')}`;
}
