import * as z from 'zod';
import { DATABASE_NAMES, ENVIRONMENT_NAMES, type DatabaseName } from '../../core/contract';

const text = (form: string, pattern: RegExp) => z.string({ error: form }).regex(pattern, form);

function whole(min: number, max: number) {
  const form = `must be ${min}–${max}`;
  return z.int({ error: form }).min(min, form).max(max, form);
}

const region = text('must be a region such as `eu-central-1`', /^[a-z]{2,4}(-[a-z]+)+-\d$/);
const secretArn = text(
  'must be a complete secret ARN, ending in the six characters that Secrets Manager added',
  /^arn:aws[\w-]*:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}$/,
);
const subnetIds = z
  .array(text('must be a subnet id such as `subnet-0a1b2c3d`', /^subnet-([0-9a-f]{8}|[0-9a-f]{17})$/))
  .min(2, 'must name two or more subnets');
const host = z.union([z.ipv4(), z.ipv6(), z.string().regex(/^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/)], {
  error: 'must be a host name or address, without scheme and port',
});
const DOMAIN_NAME = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/;
const databaseIdentifier = text(
  'must be lower-case letters, digits and `_`, starting with a letter',
  /^[a-z][a-z0-9_]{0,62}$/,
);
/** The message for a group of settings that is left out as a whole. */
const missing = (form: string) => ({
  error: (issue: { code?: string }) => (issue.code === 'invalid_type' ? form : undefined),
});
const flag = z.boolean({ error: 'must be true or false' });

/** Families and sizes that RDS for PostgreSQL 17 offers. RDS would refuse others after an hour of deployment. */
const INSTANCE_CLASS = new RegExp(
  '^(t3|t4g|m5d?|m6gd?|m6id?|m7gd?|m7i|m8gd?|r5b?d?|r6gd?|r6id?|r7gd?|r7i|r8gd?|x2g|x2idn|x2iedn|c6gd)' +
    String.raw`\.(micro|small|medium|large|\d{0,2}xlarge)$`,
);

const createdDatabase = z.strictObject({
  /** The stack creates the instance. */
  kind: z.literal('create'),
  /** RDS instance class without `db.`, such as `m7g.large`. */
  instanceClass: text('must be an instance class of RDS, without `db.`, such as `m7g.large`', INSTANCE_CLASS),
  /** GiB at the start. RDS gp3 takes 20 or more, and never shrinks. */
  allocatedStorageGiB: whole(20, 65_536),
  /** GiB up to which storage grows automatically. Caps the bill; once full, the database stops accepting writes. */
  maximumStorageGiB: whole(22, 65_536),
  /** A standby in another zone: fails over in about a minute, costs as much again. */
  multiAz: flag,
  /** A proxy that shares few connections among many functions and keeps them open through a failover. */
  proxy: flag.default(false),
  /** A read replica for reports and people, so that their queries never slow the writes. Costs as much as the instance. */
  analyticsReplica: flag.default(false),
});

const existingDatabase = z.strictObject({
  /** The database runs already; the stack only connects to it. */
  kind: z.literal('existing'),
  host,
  port: whole(1, 65_535),
  databaseName: databaseIdentifier,
  /** JSON secret with `username` and `password`. */
  secretArn,
  /** Customer-managed key of the secret. @default - Secrets Manager's own key */
  secretKeyArn: text('must be a KMS key ARN', /^arn:aws[\w-]*:kms:[\w-]+:\d{12}:key\/[\w-]+$/).optional(),
  /**
   * Who makes its tables: `here`, the migrations of this repository; `elsewhere`, another tool. There, this platform keeps its own
   * records in a schema `operations`, and touches nothing else. For the main database.
   */
  managed: z.enum(['here', 'elsewhere'], { error: 'must be `here` or `elsewhere`' }).default('here'),
  /** GiB of disk, for a database whose size RDS does not report. */
  allocatedStorageGiB: whole(1, 65_536),
  /** RDS identifier of the instance. @default - not on RDS: the size is measured in PostgreSQL */
  instanceIdentifier: text('must be an RDS instance identifier', /^[a-z][a-z0-9-]{0,62}$/).optional(),
  /** Its security group, which then admits the functions. @default - access is arranged elsewhere */
  securityGroupId: text(
    'must be a security group id such as `sg-0a1b2c3d`',
    /^sg-([0-9a-f]{8}|[0-9a-f]{17})$/,
  ).optional(),
});

const database = z.discriminatedUnion('kind', [createdDatabase, existingDatabase], {
  error: 'must be of kind `create` or `existing`',
});

const domain = z.strictObject(
  {
    /** Full name of the endpoint, such as `billing.example.com`. */
    name: text('must be a domain name in lower case such as `billing.example.com`', DOMAIN_NAME),
    /** ACM certificate that covers the name, in the environment's account and region. */
    certificateArn: text(
      'must be the ARN of an ACM certificate',
      /^arn:aws[\w-]*:acm:[\w-]+:\d{12}:certificate\/[\w-]+$/,
    ),
    /** Route 53 zone that gets the record, or `external`: the stack then prints the target of the CNAME to create. */
    hostedZone: z.union(
      [
        z.literal('external'),
        z.strictObject({ id: z.string().regex(/^Z[A-Z0-9]{1,31}$/), name: z.string().regex(DOMAIN_NAME) }),
      ],
      {
        error:
          'must be `external`, or { id, name } of a hosted zone such as { id: "Z0123456789ABC", name: "example.com" }',
      },
    ),
  },
  missing('must be { name, certificateArn, hostedZone }'),
);

const schema = z
  .strictObject({
    name: z.enum(ENVIRONMENT_NAMES, { error: 'must be dev, staging, production, rehearsal or local' }),
    account: text('must be the 12 digits of an AWS account', /^\d{12}$/),
    region,
    /** Regions that the data may stay in. `region` must be one of them. */
    allowedRegions: z.array(region).min(1, 'must name one region or more'),
    /**
     * Region that recovery points and archives are copied to, by a stack of its own there. Must be an allowed one.
     * @default - no copies: the loss of the region is the loss of the data
     */
    secondRegion: region.optional(),
    /** Keep data when the stack is removed: deletion and termination protection, irrevocable vault locks. */
    removalProtection: flag,
    /**
     * Role that may end the lock of an archive before its date, for an erasure, and change lifecycle, replication and policy of
     * the archive buckets. Grant it to nobody by default. @default - no role may; settings change by deployment only
     */
    breakGlassRoleArn: text(
      'must be the ARN of a role such as `arn:aws:iam::111111111111:role/break-glass`',
      /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
    ).optional(),
    logLevel: z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR'], { error: 'must be DEBUG, INFO, WARN or ERROR' }),
    /** Zones of the created network. Named here, so that synthesis needs no AWS account. */
    availabilityZones: z.array(z.string()).length(3, 'must name three zones').optional(),
    /** Existing network that reaches the existing databases. @default - created with the first created database */
    existingNetwork: z
      .strictObject({
        vpcId: text('must be a VPC id such as `vpc-0a1b2c3d`', /^vpc-([0-9a-f]{8}|[0-9a-f]{17})$/),
        availabilityZones: z.array(z.string()).min(2, 'must name two zones or more'),
        /** Subnets with outbound internet access, one for each zone; the functions run there. */
        privateSubnetIds: subnetIds,
      })
      .optional(),
    databases: z.strictObject(
      { billing: database, main: database },
      missing('must be `billing` and `main`, each to `create` or `existing`'),
    ),
    stripe: z.strictObject(
      {
        /** @default https://api.stripe.com */
        apiBase: z.url({ error: 'must be a URL' }).default('https://api.stripe.com'),
        /** Accept live events (`true`) or test events (`false`). */
        livemode: flag,
        /** App of objects whose metadata names none. @default - no app */
        defaultAppId: z.string({ error: 'must be the id of an app' }).min(1, 'must be the id of an app').optional(),
        /** Project of objects whose metadata names none. @default - no project */
        defaultProjectId: z
          .string({ error: 'must be the id of a project' })
          .min(1, 'must be the id of a project')
          .optional(),
        /**
         * The addresses that Stripe publishes for its webhooks; the firewall blocks all others. A missing entry blocks
         * genuine events. @default - any address; the signature decides
         */
        webhookAddresses: z.array(z.cidrv4({ error: 'must be a range such as `3.18.12.63/32`' })).default([]),
      },
      missing('must say at least whether `livemode` is true or false'),
    ),
    /**
     * Domain name of the API. Switching it on or off changes the URL of the endpoint and disables the former one: choose
     * before Stripe is given the URL. @default - the address that API Gateway assigns, which is lost with the API
     */
    domain: domain.optional(),
    /**
     * The firewall in front of the API. Without it, only throttling and the signature protect the endpoint. @default true
     */
    firewall: flag.default(true),
    /**
     * Alarms on ratios and sums of several metrics. Without them, only alarms on a single metric are created, which cost
     * less and detect less. @default true
     */
    computedAlarms: flag.default(true),
    /** Cache of entitlements. @default - none: every read goes to the database */
    cache: z
      .strictObject({ kind: z.enum(['none', 'serverless'], { error: 'must be none or serverless' }) })
      .default({ kind: 'none' }),
    reconciliation: z
      .strictObject({
        enabled: flag.default(true),
        hourUtc: whole(0, 23).default(2),
        /** Stripe lists events for 30 days at most. */
        daysBack: whole(1, 30).default(7),
        /**
         * Subscriptions, and as many purchases, whose entitlements are computed again from Stripe on each run; others have
         * their turn on the next. Fewer find a fault later; more take from Stripe's rate limit: 50 are 250 calls, 10 s.
         */
        sampledEntitlements: whole(0, 1_000).default(50),
      })
      .prefault({}),
    /**
     * The runbook as a page that on-call can open, usually `docs/runbook.md` at the company's repository host, such as
     * `https://github.com/example/billing-operations/blob/main/docs/runbook.md`. Alarms link to its headings.
     */
    runbookUrl: text(
      'must be an https URL of at most 200 characters, without `#` and `?`, such as `https://github.com/example/billing-operations/blob/main/docs/runbook.md`',
      /^(?=.{12,200}$)https:\/\/[\w.-]+(:\d+)?\/[^\s#?]*$/,
    ),
    /** E-mail addresses that each severity notifies. @default - none; subscribe the on-call tool to the topics */
    alarmEmails: z
      .strictObject({
        warning: z.array(z.email({ error: 'must be an e-mail address' })).default([]),
        critical: z.array(z.email({ error: 'must be an e-mail address' })).default([]),
      })
      .prefault({}),
  })
  .superRefine((config, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (!config.allowedRegions.includes(config.region)) {
      refuse(['region'], `must be one of ${config.allowedRegions.join(', ')}, where this data may stay`);
    }
    if (config.secondRegion !== undefined && !config.allowedRegions.includes(config.secondRegion)) {
      refuse(['secondRegion'], `must be one of ${config.allowedRegions.join(', ')}, where this data may stay`);
    }
    if (config.secondRegion === config.region) refuse(['secondRegion'], 'must be another region than `region`');
    const created = DATABASE_NAMES.filter((name) => config.databases[name].kind === 'create');
    if (created.length > 0 && config.existingNetwork) {
      refuse(['existingNetwork'], 'must be left out when a database is created: it gets a network of its own');
    }
    if (created.length > 0 && !config.availabilityZones) {
      refuse(['availabilityZones'], 'must name three zones when a database is created');
    }
    if (created.length === 0 && !config.existingNetwork && config.cache.kind === 'serverless') {
      refuse(['cache'], 'must be of kind `none` where there is no network to put the cache into');
    }
    if (config.domain) refuseDomain(config.domain, config, refuse);
    for (const name of DATABASE_NAMES) {
      const settings = config.databases[name];
      if (settings.kind === 'create') continue;
      if (name === 'billing' && settings.managed === 'elsewhere') {
        refuse(['databases', name, 'managed'], 'must be `here`: the tables of billing are those of this platform');
      }
      // Functions look for secrets and keys in their own region and account only.
      for (const field of ['secretArn', 'secretKeyArn'] as const) {
        const [, , , ownRegion, ownAccount] = settings[field]?.split(':') ?? [];
        if (ownRegion === undefined) continue;
        if (ownRegion !== config.region) refuse(['databases', name, field], `must be in ${config.region}`);
        if (ownAccount !== config.account) {
          refuse(['databases', name, field], `must be in account ${config.account}, whose functions read it`);
        }
      }
      if (settings.securityGroupId !== undefined && !config.existingNetwork && created.length === 0) {
        refuse(
          ['databases', name, 'securityGroupId'],
          'must be left out without a network: it has no functions to admit',
        );
      }
    }
    for (const [path, zones] of [
      [['availabilityZones'], config.availabilityZones ?? []],
      [['existingNetwork', 'availabilityZones'], config.existingNetwork?.availabilityZones ?? []],
    ] as const) {
      for (const [index, zone] of zones.entries()) {
        const known = zone.startsWith(config.region) && /^[a-z]$/.test(zone.slice(config.region.length));
        if (!known)
          refuse([...path, String(index)], `must be a zone of ${config.region}, such as \`${config.region}a\``);
        if (zones.indexOf(zone) < index) refuse([...path, String(index)], 'must be another zone than those before it');
      }
    }
    if (isSameDatabase(config.databases)) {
      refuse(
        ['databases', 'main'],
        'must be another database than billing: a backup of one would restore over the other',
      );
    }
    const { availabilityZones: zones = [], privateSubnetIds: subnets = [] } = config.existingNetwork ?? {};
    if (subnets.length !== zones.length) {
      refuse(['existingNetwork', 'privateSubnetIds'], `must name one subnet for each of ${zones.length} zones`);
    }
    for (const name of created) {
      const settings = config.databases[name];
      // RDS refuses a ceiling closer than 10 % above the start.
      if (settings.kind === 'create' && settings.maximumStorageGiB < settings.allocatedStorageGiB * 1.1) {
        refuse(['databases', name, 'maximumStorageGiB'], 'must be at least 10 % above allocatedStorageGiB');
      }
    }
  });

/** Whether both settings name one database of one server. */
function isSameDatabase({ billing, main }: Readonly<Record<DatabaseName, z.output<typeof database>>>): boolean {
  if (billing.kind !== 'existing' || main.kind !== 'existing') return false;
  const address = ({ host: name, port, databaseName }: typeof billing) =>
    [name.toLowerCase(), port, databaseName].join(' ');
  return address(billing) === address(main);
}

/** Reports a certificate that the API cannot use, and a name that its zone cannot hold. */
function refuseDomain(
  { name, certificateArn, hostedZone }: z.output<typeof domain>,
  { region: own, account }: { readonly region: string; readonly account: string },
  refuse: (path: string[], message: string) => void,
): void {
  const [, , , certificateRegion, certificateAccount] = certificateArn.split(':');
  if (certificateRegion !== own || certificateAccount !== account) {
    refuse(['domain', 'certificateArn'], `must be a certificate of account ${account} in ${own}, where the API is`);
  }
  if (hostedZone !== 'external' && name !== hostedZone.name && !name.endsWith(`.${hostedZone.name}`)) {
    refuse(['domain', 'name'], `must be ${hostedZone.name} or end in .${hostedZone.name}, the name of its hosted zone`);
  }
}

/** One environment as an adopter writes it: everything with a default may be left out. */
export type EnvironmentInput = z.input<typeof schema>;
/** One environment, checked and complete. */
export type EnvironmentConfig = z.output<typeof schema>;
export type DatabaseConfig = EnvironmentConfig['databases'][DatabaseName];
export type DomainConfig = NonNullable<EnvironmentConfig['domain']>;
export type CreatedDatabaseConfig = Extract<DatabaseConfig, { kind: 'create' }>;
export type ExistingDatabaseConfig = Extract<DatabaseConfig, { kind: 'existing' }>;

/**
 * Checks an environment and fills in what it leaves out.
 *
 * @throws Error naming the environment, every wrong field, its expected form and its value
 */
export function defineEnvironment(input: EnvironmentInput): EnvironmentConfig {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    const field = issue.path.join('.') || 'config';
    if (issue.code === 'unrecognized_keys') return `${field}: unknown setting ${issue.keys.join(', ')}`;
    return `${field}: ${issue.message}, got ${describe(valueAt(input, issue.path))}`.replace(': must', ' must');
  });
  throw new Error(`environment \`${input.name}\`: ${problems.join('; ')}`);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

function describe(value: unknown): string {
  return value === undefined ? 'nothing' : typeof value === 'object' ? 'an object' : JSON.stringify(value);
}
