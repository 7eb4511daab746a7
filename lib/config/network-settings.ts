import * as z from 'zod';
import { flag, publicRange, securityGroupId, subnetIds, text, whole } from './fields';

/** Private ranges of which the subnets of three zones take a half, or all. */
const NETWORK_RANGE = /^(10\.\d{1,3}|172\.(1[6-9]|2\d|3[01])|192\.168)\.\d{1,3}\.0\/1[6-9]$/;

/** The range that begins where its prefix says, and the next one, which the framework takes in its place. */
function alignedRanges(cidr: string): readonly [string, string] {
  const [, second = 0, third = 0, length = 0] = /^\d+\.(\d+)\.(\d+)\.0\/(\d+)$/.exec(cidr)?.map(Number) ?? [];
  const size = 2 ** (24 - length);
  const first = second * 256 + third - ((second * 256 + third) % size);
  const range = (start: number) => cidr.replace(/\.\d+\.\d+\.0\//, `.${start >> 8}.${start % 256}.0/`);
  return [range(first), range(first + size)];
}

const networkRange = text('must be a private range of /16 to /19, such as `10.40.0.0/16`', NETWORK_RANGE)
  .refine((cidr) => z.cidrv4().safeParse(cidr).success, 'must be a range of addresses: no part is above 255')
  .superRefine((cidr, context) => {
    const [aligned, next] = alignedRanges(cidr);
    if (aligned === cidr) return;
    const message = `must begin where the range does: \`${aligned}\`, or, of a network that is deployed, \`${next}\`, which it became`;
    context.addIssue({ code: 'custom', message });
  });

/** The network that is created with the first created database. */
export const createdNetwork = z.strictObject({
  cidr: networkRange
    .default('10.40.0.0/16')
    .describe(
      'Addresses of the network; `/19` is enough. Choose one that overlaps with no network it will be connected to: it cannot be changed later.',
    ),
  natGateways: whole(1, 3)
    .default(1)
    .describe(
      'Gateways for outbound traffic. One: the loss of its zone stops what calls Stripe until it is replaced. Three: one in each zone.',
    ),
  apiEndpoints: flag
    .default(true)
    .describe(
      'Endpoints of AWS APIs inside the network, which cost more than a gateway. Without them, calls of Secrets Manager, RDS, SQS and KMS depend on the NAT gateways, and are charged there by gigabyte.',
    ),
});

/** A network that exists. */
export const existingNetwork = z.strictObject({
  vpcId: text('must be a VPC id such as `vpc-0a1b2c3d`', /^vpc-([0-9a-f]{8}|[0-9a-f]{17})$/).describe('Id of the VPC.'),
  availabilityZones: z
    .array(z.string(), { error: 'must name two zones or more' })
    .min(2, 'must name two zones or more')
    .describe('Zones of the subnets.'),
  privateSubnetIds: subnetIds.describe(
    'Subnets with outbound internet access, by NAT gateways of yours, one for each zone; the functions run there.',
  ),
  databaseSubnetIds: subnetIds
    .optional()
    .describe('Subnets without a route to the internet, one for each zone, for databases that are created.'),
  egressAddresses: z
    .array(publicRange)
    .optional()
    .describe(
      'Public addresses of those NAT gateways, from which the canary comes. Needed where `stripe.webhookAddresses` is given.',
    ),
  apiSecurityGroupId: securityGroupId
    .optional()
    .describe(
      'Security group of interface endpoints of AWS APIs in this network, which then admits the functions. Left out: there are none, or they admit the subnets.',
    ),
});

const RANGE = 'must be a range such as `10.20.0.0/16`, of at least /8';

/** Rules of a security group, by EC2's default quota, less those of functions, with room for more of these. */
const MAX_ADMITTED = 25;

/** Who else connects to a created database. */
export const admission = z
  .strictObject({
    securityGroupIds: z.array(securityGroupId).default([]).describe('Security groups of applications.'),
    cidrs: z
      .array(z.cidrv4({ error: RANGE }).regex(/\/([89]|[12]\d|3[0-2])$/, RANGE))
      .default([])
      .describe('Ranges of addresses, such as those of a VPN.'),
  })
  .refine(({ securityGroupIds, cidrs }) => securityGroupIds.length + cidrs.length <= MAX_ADMITTED, {
    error: `must be at most ${MAX_ADMITTED} groups and ranges together: EC2 takes 60 rules, and functions need some`,
  });

export type NetworkConfig = z.output<typeof createdNetwork>;
export type AdmissionConfig = z.output<typeof admission>;
/** What a network is like that no setting describes. */
export const DEFAULT_NETWORK: NetworkConfig = createdNetwork.parse({});
