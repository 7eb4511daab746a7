import { createHash, createHmac } from 'node:crypto';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials, such as a function's. */
  readonly sessionToken?: string | undefined;
}

export interface UnsignedRequest {
  readonly host: string;
  /** Headers by lower-case name, without `host`; all of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface SigningScope {
  readonly credentials: AwsCredentials;
  readonly region: string;
  /** Such as `sqs`. */
  readonly service: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/**
 * Signs `POST /` requests with AWS Signature Version 4.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 * @returns the headers to send
 */
export function createSigner(): (request: UnsignedRequest, scope: SigningScope, now: Date) => Record<string, string> {
  // Valid for a day, a region and a service; deriving the key takes longer than the signature itself.
  let derived: { readonly from: string; readonly key: Buffer } | undefined;

  return ({ host, headers, body }, { credentials, region, service }, now) => {
    const moment = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
    const day = moment.slice(0, 8);
    const scope = `${day}/${region}/${service}/aws4_request`;
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    const signed: Record<string, string> = { ...headers, host, 'x-amz-date': moment };
    if (sessionToken) signed['x-amz-security-token'] = sessionToken;

    const names = Object.keys(signed).toSorted();
    const signedHeaders = names.join(';');
    const canonical = [
      'POST',
      '/',
      '',
      ...names.map((name) => `${name}:${signed[name]?.trim()}`),
      '',
      signedHeaders,
      sha256(body),
    ].join('\n');
    const from = `${secretAccessKey}/${scope}`;
    if (derived?.from !== from) {
      const key = [day, region, service, 'aws4_request'].reduce<Buffer | string>(hmac, `AWS4${secretAccessKey}`);
      derived = { from, key: key as Buffer };
    }
    const signature = hmac(derived.key, [ALGORITHM, moment, scope, sha256(canonical)].join('\n')).toString('hex');
    const credential = `${accessKeyId}/${scope}`;
    return {
      ...signed,
      authorization: `${ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
    };
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
