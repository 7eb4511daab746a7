import { randomBytes } from 'node:crypto';
import { generate } from 'selfsigned';
import { LOOPBACK, OTHER_LOOPBACKS } from './ports';

/** A certificate for servers on this machine, and the authority that signed it; all in PEM. */
export interface LocalCertificate {
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** Long enough for a platform that stays up over a weekend; short, as nothing renews it. */
const VALID_DAYS = 30;

/**
 * Makes an authority and one server certificate for the addresses of loopback and localhost. The authority's key is dropped, so
 * trusting its certificate trusts this one server and nothing else.
 */
export async function createLocalCertificate(): Promise<LocalCertificate> {
  // A day back, so that a clock set slightly differently does not find the certificate "not yet valid".
  const validity = {
    notBeforeDate: new Date(Date.now() - 86_400_000),
    notAfterDate: new Date(Date.now() + VALID_DAYS * 86_400_000),
    algorithm: 'sha256',
    keyType: 'ec' as const,
  };
  // A name of its own: clients that trust several authorities find the right one by its name alone.
  const name = `Local certificate authority ${randomBytes(6).toString('hex')}`;
  const authority = await generate([{ name: 'commonName', value: name }], {
    ...validity,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...validity,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          ...[LOOPBACK, ...OTHER_LOOPBACKS].map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  });
  return { ca: authority.cert, certificate: server.cert, privateKey: server.private };
}
