import * as z from 'zod';

/** Output of the Data stack that names the regions in which data may be, separated by commas. */
export const ALLOWED_OUTPUT = 'AllowedRegions';
/** The stacks in the region of an environment. */
export const RESIDENT_STACKS = ['Data', 'Operations', 'Monitoring'] as const;
/** The stack in the second region. */
export const COPIES_STACK = 'Recovery';

const place = z.strictObject({
  what: z.string().describe('Such as `bucket archives-copy, a copy of archives,`.'),
  region: z.string().nullable().describe('Null where it could not be told.'),
});
export const residencyResult = z.strictObject({
  allowed: z.array(z.string()).describe('Regions in which data may be. Empty: the stack Data does not name them.'),
  regions: z.array(z.string()).describe('Regions in which data was found.'),
  resources: z.int().describe('Resources with data of the stacks in the region of the environment.'),
  copies: z.int().describe('Of the stack in the second region.'),
  existing: z.int().describe('Instances that functions connect to and no stack made.'),
  outside: z.array(place).describe('What is in a region that is not allowed, or in an unknown one.'),
});
/** Where data of an environment is. */
export type Residency = Readonly<z.infer<typeof residencyResult>>;

/** Each thing that is wrong, as a part of a sentence. */
export function residencyFindings({ allowed, outside }: Residency): string[] {
  if (allowed.length === 0) return [`no stack has the output ${ALLOWED_OUTPUT}`];
  return outside.map(({ what, region }) =>
    region === null ? `the region of ${what} could not be told` : `${what} is in ${region}`,
  );
}

/** What to do about the findings. */
export function residencyFix({ allowed, outside }: Residency): string {
  if (allowed.length === 0) return 'deploy the stack Data again';
  const found = outside.find(({ region }) => region !== null);
  return found === undefined
    ? 'name the instance by the host that RDS gives it, and deploy; let the role read what docs/deploy.md, "Is it done?", lists; look up by hand what another account or a former second region has'
    : `remove ${found.what} there, or name the region in allowedRegions, and deploy`;
}

/** What was looked at, and where it is. */
export function residencyCoverage({ allowed, resources, copies, existing, regions }: Residency): string {
  if (allowed.length === 0) return 'nothing was looked up';
  const of = [
    `${resources} resources with data`,
    ...(copies > 0 ? [`${copies} of the second region`] : []),
    ...(existing > 0 ? [`${existing} existing ${existing === 1 ? 'instance' : 'instances'}`] : []),
  ];
  return `${of.join(', ')}, and their copies, are in ${regions.join(', ')}`;
}

/** Host of an RDS instance: its identifier, the account and the region. In China the region is at another place. */
const RDS_HOST =
  /^([a-z0-9-]+)\.([a-z0-9]+\.(?:([a-z0-9-]+)\.rds\.amazonaws\.com|rds\.(cn-[a-z0-9-]+)\.amazonaws\.com\.cn))$/;

/** What the host that RDS gave an instance says of it. */
export interface RdsHost {
  /** Identifier of the instance. */
  readonly id: string;
  /** What the hosts of all instances of the account in the region end with. */
  readonly suffix: string;
  readonly region: string;
}

/** `undefined` of a host outside of RDS, an alias of one, and the address of a proxy. A configuration may have it in capitals. */
export function rdsHost(host: string): RdsHost | undefined {
  const [, id, suffix, region, chinese] = RDS_HOST.exec(host.toLowerCase()) ?? [];
  if (id === undefined || suffix === undefined) return undefined;
  return { id, suffix, region: region ?? chinese ?? '' };
}

/** How functions connect to a database. */
export interface Connected {
  /** Of the settings. @default - the settings name none */
  readonly instanceIdentifier?: string | undefined;
  readonly host?: string | undefined;
}

/** An RDS instance. */
export interface NamedInstance {
  readonly id: string;
  /** Undefined where the host does not name it, such as a CNAME. */
  readonly region: string | undefined;
}

/** The RDS instance behind a host, or of an identifier where the host is none of RDS; `undefined` where neither names one. */
export function instanceBehind({ instanceIdentifier, host = '' }: Connected): NamedInstance | undefined {
  const named = rdsHost(host);
  const id = named?.id ?? instanceIdentifier;
  return id === undefined || id === '' ? undefined : { id, region: named?.region };
}
