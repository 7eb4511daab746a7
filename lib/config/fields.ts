import * as z from 'zod';

/** Text of one form. */
export const text = (form: string, pattern: RegExp) => z.string({ error: form }).regex(pattern, form);

/** A whole number within bounds. */
export function whole(min: number, max: number) {
  const form = `must be ${min}–${max}`;
  return z.int({ error: form }).min(min, form).max(max, form);
}

export const flag = z.boolean({ error: 'must be true or false' });

/** The message for a group of settings that is left out as a whole. */
export const missing = (form: string) => ({
  error: (issue: { code?: string }) => (issue.code === 'invalid_type' ? form : undefined),
});

export const region = text('must be a region such as `eu-central-1`', /^[a-z]{2,4}(-[a-z]+)+-\d$/);

/** A name with `!` is of a secret that a service manages, such as that of a master user: `rds!db-…`. */
export const secretArn = text(
  'must be a complete secret ARN, ending in the six characters that Secrets Manager added',
  /^arn:aws[\w-]*:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@!-]+-[A-Za-z0-9]{6}$/,
);

export const keyArn = text('must be a KMS key ARN', /^arn:aws[\w-]*:kms:[\w-]+:\d{12}:key\/[\w-]+$/);

export const subnetIds = z
  .array(text('must be a subnet id such as `subnet-0a1b2c3d`', /^subnet-([0-9a-f]{8}|[0-9a-f]{17})$/), {
    error: 'must be a list of subnet ids',
  })
  .min(2, 'must name two or more subnets');

const PUBLIC_RANGE = 'must be a range such as `3.18.12.63/32`, of at least /8';
/** Addresses that the firewall admits; it takes no range of everything. */
export const publicRange = z.cidrv4({ error: PUBLIC_RANGE }).regex(/\/([89]|[12]\d|3[0-2])$/, PUBLIC_RANGE);

export const securityGroupId = text(
  'must be a security group id such as `sg-0a1b2c3d`',
  /^sg-([0-9a-f]{8}|[0-9a-f]{17})$/,
);

export const host = z.union(
  [z.ipv4(), z.ipv6(), z.string().regex(/^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/)],
  { error: 'must be a host name or address, without scheme and port' },
);

/** A full domain name in lower case. */
export const DOMAIN_NAME = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/;

export const databaseIdentifier = text(
  'must be lower-case letters, digits and `_`, starting with a letter',
  /^[a-z][a-z0-9_]{0,62}$/,
);

export const emails = z.array(z.email({ error: 'must be an e-mail address' }), {
  error: 'must be a list of e-mail addresses',
});
