import { createHmac, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';

/** Lets scanners of repositories and logs find a key that leaked. */
const PREFIX = 'bok';
const ID_LENGTH = 12;
const SECRET_BYTES = 32;
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const FORM = /^bok_([0-9A-Za-z]{12})_[0-9A-Za-z_-]{43}$/;

/** A new key. Only its digest is stored. */
export interface NewKey {
  /** The whole key, `bok_<id>_<secret>`: shown once. */
  readonly key: string;
  /** Its public part. */
  readonly id: string;
}

/** A random key: 256 bits behind an id of 71. */
export function newKey(): NewKey {
  const id = Array.from({ length: ID_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return { key: `${PREFIX}_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`, id };
}

/** The public part of what has the form of a key, or undefined. */
export function keyId(presented: string): string | undefined {
  return FORM.exec(presented)?.[1];
}

/** What is stored of a key. */
export function digestOf(key: string, secret: string): Buffer {
  return createHmac('sha256', secret).update(key).digest();
}

/** Compares in constant time; of an unknown key, with nothing that it could equal. */
export function matches(key: string, secret: string, digest: Buffer | undefined): boolean {
  const presented = digestOf(key, secret);
  const equal = timingSafeEqual(presented, digest ?? randomBytes(presented.length));
  return equal && digest !== undefined;
}
