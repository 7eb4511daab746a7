import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** As PostgreSQL itself iterates. */
const ITERATIONS = 4096;
const SALT_BYTES = 16;

/**
 * A password as PostgreSQL stores it (RFC 5803), so that the statement that sets it, which a server may log, does not hold it.
 *
 * @param password of ASCII characters, as every generated one is: others would have to be normalised first
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(SALT_BYTES)): string {
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`;
}
