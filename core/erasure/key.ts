import { createHmac } from 'node:crypto';
import * as z from 'zod';

/** The secret under which people are hashed in the ledger and in tombstones. */
export const erasureSecret = z.object({
  key: z.string({ error: 'expected a random text of at least 32 characters' }).min(32),
});

/** What identifies a person. */
export type SubjectKind = 'customer' | 'user' | 'email';

/** A person as a digest, which alone does not identify them. */
export interface Subject {
  readonly kind: SubjectKind;
  /** HMAC-SHA-256 of kind and identifier, in hex. */
  readonly digest: string;
}

const BLOCK_BYTES = 64;
const INNER = 0x36;
const OUTER = 0x5c;

/** Hashes people, and authenticates entries of the ledger. */
export class ErasureKey {
  private readonly block: Buffer;

  /** @param secret of the environment */
  constructor(secret: string) {
    // RFC 2104 hashes a longer key first; this one is of random letters, of which 64 are plenty.
    this.block = Buffer.alloc(BLOCK_BYTES);
    Buffer.from(secret, 'utf8').copy(this.block);
  }

  /** The pads of RFC 2104: with them, SQL computes the same HMAC from `sha256` alone. */
  get pads(): { readonly inner: Buffer; readonly outer: Buffer } {
    const padded = (pad: number) => Buffer.from(this.block.map((byte) => byte ^ pad));
    return { inner: padded(INNER), outer: padded(OUTER) };
  }

  /** @param value an address in lower case, or an id as it is */
  subject(kind: SubjectKind, value: string): Subject {
    return { kind, digest: this.hmac(`${kind}:${value}`).toString('hex') };
  }

  /** HMAC-SHA-256 of a text. */
  hmac(text: string): Buffer {
    return createHmac('sha256', this.block).update(text, 'utf8').digest();
  }
}
