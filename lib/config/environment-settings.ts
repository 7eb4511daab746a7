import * as z from 'zod';
import { OWNERS, OWNER_TAG, type Owner } from './alarms/owners';
import { bitcoin } from './bitcoin-settings';
import { database } from './database-settings';
import { erasure } from './erasure-settings';
import { DOMAIN_NAME, emails, flag, keyArn, missing, publicRange, region, text, whole } from './fields';
import { instanceClass } from './instance-class';
import { LARGE_ARCHIVE_POLICY, TEMPORARY_TAG } from './recovery-policy';
import { createdNetwork, existingNetwork } from './network-settings';
import { SIZES } from './sizes';

const domain = z.strictObject(
  {
    name: text('must be a domain name in lower case such as `billing.example.com`', DOMAIN_NAME).describe(
      'Full name of the endpoint, such as `billing.example.com`.',
    ),
    certificateArn: text(
      'must be the ARN of an ACM certificate',
      /^arn:aws[\w-]*:acm:[\w-]+:\d{12}:certificate\/[\w-]+$/,
    ).describe("ACM certificate that covers the name, in the environment's account and region."),
    hostedZone: z
      .union(
        [
          z.literal('external'),
          z.strictObject({ id: z.string().regex(/^Z[A-Z0-9]{1,31}$/), name: z.string().regex(DOMAIN_NAME) }),
        ],
        {
          error:
            'must be `external`, or { id, name } of a hosted zone such as { id: "Z0123456789ABC", name: "example.com" }',
        },
      )
      .describe(
        'Route 53 zone that gets the record, or `external`: the stack then prints the target of the CNAME to create.',
      ),
  },
  missing('must be { name, certificateArn, hostedZone }'),
);

const alertEmails = z.strictObject({
  warning: emails.default([]).describe('Of warnings.'),
  critical: emails.default([]).describe('Of critical alarms.'),
});

const alarmOwners = z.strictObject(
  {
    billing: alertEmails.optional().describe('E-mail addresses for payments and access. Left out: the shared topics.'),
    data: alertEmails.optional().describe('E-mail addresses for databases and backups. Left out: the shared topics.'),
    platform: alertEmails
      .optional()
      .describe('E-mail addresses for functions, keys and the alerts themselves. Left out: the shared topics.'),
  } satisfies Record<Owner, unknown>,
  {
    error: ({ code }) =>
      code === 'unrecognized_keys'
        ? `the groups are ${OWNERS.join(', ')}`
        : 'must name groups, each with its addresses',
  },
);

/** Tags that AWS sets, or this platform, whose workflows may delete an instance by its tag. IAM tells no capital from a small letter. */
const RESERVED_TAGS = ['application', 'environment', OWNER_TAG, TEMPORARY_TAG];
const tagName = z
  .string()
  .regex(/^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/iu)
  .refine((name) => !RESERVED_TAGS.includes(name.toLowerCase()));
/** What every service takes. CloudFormation takes no stack with an empty one. */
const tagValue = text(
  'must be text of 1–256 letters, digits, spaces and `_.:/=+-@`',
  /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,256}$/u,
);
/** AWS takes 50; some resources have others of this platform and of AWS. */
const MAX_TAGS = 40;

const apps = (what: string) => text(`must be the id of ${what}, of at most 200 characters`, /^\S(.{0,198}\S)?$/);

const stripe = z.strictObject(
  {
    apiBase: z
      .url({ error: 'must be a URL' })
      .default('https://api.stripe.com')
      .describe('Base URL of the Stripe API.'),
    livemode: flag.describe('Accept live events (`true`) or test events (`false`).'),
    defaultAppId: apps('an app').optional().describe('App of objects whose metadata names none. Left out: no app.'),
    defaultProjectId: apps('a project')
      .optional()
      .describe('Project of objects whose metadata names none. Left out: no project.'),
    webhookAddresses: z
      .array(publicRange)
      .default([])
      .describe(
        'The addresses that Stripe publishes for its webhooks; the firewall blocks webhooks from all others. A missing entry blocks genuine events. Left out: any address; the signature decides.',
      ),
  },
  missing('must say at least whether `livemode` is true or false'),
);

const reconciliation = z.strictObject({
  enabled: flag.default(true).describe('Compare with Stripe daily.'),
  hourUtc: whole(0, 23).default(2).describe('Hour of the run, in UTC.'),
  daysBack: whole(1, 30).default(7).describe('Days that it looks back. Stripe lists events for 30 days at most.'),
  sampledEntitlements: whole(0, 1_000)
    .default(50)
    .describe(
      "Subscriptions, and as many purchases, whose entitlements are computed again from Stripe on each run; others have their turn on the next. Fewer find a fault later; more take from Stripe's rate limit: 50 are 250 calls, 10 s.",
    ),
});

const largeArchives = z.strictObject({
  method: z
    .enum(['map', 'rds-export'], { error: 'must be `map` or `rds-export`' })
    .default('map')
    .describe(
      '`map`: an archive like every other, of the newest recovery point, which a workflow restores to an instance of its own and copies in parts. `rds-export`: RDS exports a snapshot as Parquet, from which this platform restores nothing; so are existing databases without `recovery`.',
    ),
  concurrentParts: whole(1, 100)
    .default(LARGE_ARCHIVE_POLICY.concurrentParts)
    .describe(
      'Parts that are copied, or restored, at the same time, for each database. As many calls of `restore` are reserved, and of `backup` with `map`. More than the instance has cores only wait for it.',
    ),
  instanceClass: instanceClass
    .optional()
    .describe('Class of the instance that is read, without `db.`. Left out: that of the instance in use.'),
});

const openTelemetry = z.strictObject(
  {
    layerArns: z
      .array(
        text(
          'must be the ARN of a version of a layer, such as `arn:aws:lambda:eu-central-1:111111111111:layer:otel:1`',
          /^arn:aws[\w-]*:lambda:[\w-]+:\d{12}:layer:[\w-]{1,140}:\d+$/,
        ),
        { error: 'must be a list of ARNs of layers' },
      )
      .min(1, 'must name one layer or more')
      .max(5, 'must name at most five layers, which is what Lambda takes')
      .describe("Layers of OpenTelemetry for Node and arm64, in the environment's region."),
    wrapper: text('must be a file below `/opt/`, such as `/opt/otel-handler`', /^\/opt\/[\w./-]+$/)
      .default('/opt/otel-handler')
      .describe("The layers' script that starts a function."),
    variables: z
      .record(
        // What authenticates at the receiver would stand in the template, and in the console, for all to read.
        z.string().regex(/^(?!.*HEADERS)(OTEL|OPENTELEMETRY)_[A-Z0-9_]+$/),
        z
          .string({ error: 'must be text' })
          .regex(/^(?!.*:\/\/[^/]*:[^/]*@)/, 'must hold no password: everybody reads it'),
        {
          error:
            'must be names and values of variables that begin with `OTEL_` or `OPENTELEMETRY_`, and no `…HEADERS`: a key belongs into a secret that the configuration of the collector names',
        },
      )
      .default({})
      .describe('Variables of every function, such as `OTEL_EXPORTER_OTLP_ENDPOINT`. Never a key.'),
  },
  missing('must say at least `layerArns`'),
);

/** The settings of an environment, as its file has them. The description of each is the editor's help, too. */
export const SETTINGS = {
  account: text('must be the 12 digits of an AWS account, in quotes', /^\d{12}$/).describe(
    'The 12 digits of the AWS account, in quotes.',
  ),
  region: region.describe('Region, such as `eu-central-1`.'),
  allowedRegions: z
    .array(region, { error: 'must be a list of regions' })
    .min(1, 'must name one region or more')
    .describe('Regions that the data may stay in. `region` must be one of them.'),
  secondRegion: region
    .optional()
    .describe(
      'Region that recovery points and archives are copied to, by a stack of its own there. Must be an allowed one. Left out: no copies; the loss of the region is the loss of the data.',
    ),
  backupAccount: z
    .strictObject(
      {
        account: text('must be the 12 digits of an AWS account, in quotes', /^\d{12}$/).describe(
          'The 12 digits of the account, in quotes: of the same organization, and another one than `account`.',
        ),
        archiveKeyArn: keyArn.describe('Key of its bucket, an output of its stack.'),
      },
      missing('must be { account, archiveKeyArn }'),
    )
    .optional()
    .describe(
      'Account that recovery points and archives are copied to as well, in the same region, by `examples/backup-account/stack.yaml`. Left out: who takes over the account of the environment has every copy within reach.',
    ),
  removalProtection: flag.describe(
    'Keep data when the stack is removed: deletion and termination protection, irrevocable vault locks.',
  ),
  breakGlassRoleArn: text(
    'must be the ARN of a role such as `arn:aws:iam::111111111111:role/break-glass`',
    /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
  )
    .optional()
    .describe(
      'Role that may end the lock of an archive before its date, for an erasure, and change lifecycle, replication and policy of the archive buckets. Grant it to nobody by default. Left out: no role may; settings change by deployment only.',
    ),
  logLevel: z
    .enum(['DEBUG', 'INFO', 'WARN', 'ERROR'], { error: 'must be DEBUG, INFO, WARN or ERROR' })
    .describe('Log level of the functions.'),
  availabilityZones: z
    .array(z.string(), { error: 'must name three zones' })
    .length(3, 'must name three zones')
    .optional()
    .describe('Zones of the created network. Named here, so that synthesis needs no AWS account.'),
  existingNetwork: existingNetwork
    .optional()
    .describe(
      'Existing network, for existing databases or for created ones. Left out: created with the first created database.',
    ),
  network: createdNetwork.optional().describe('The network that is created.'),
  tags: z
    .record(tagName, tagValue, {
      error: `must be names and values of tags, without \`aws:…\` and, in any case, ${RESERVED_TAGS.map((name) => `\`${name}\``).join(', ')}`,
    })
    .refine((tags) => Object.keys(tags).length <= MAX_TAGS, `must be at most ${MAX_TAGS} tags`)
    .refine((tags) => new Set(Object.keys(tags).map((name) => name.toLowerCase())).size === Object.keys(tags).length, {
      error: 'must have no two names that differ in case alone, which IAM takes for one',
    })
    .default({})
    .describe(
      'Tags of the stacks, 40 at most, which CloudFormation gives every resource that takes tags, besides `application` and `environment`.',
    ),
  permissionsBoundaryArn: text(
    'must be the ARN of a policy such as `arn:aws:iam::111111111111:policy/boundary`',
    /^arn:aws[\w-]*:iam::(\d{12}|aws):policy\/[\w+=,.@/-]+$/,
  )
    .optional()
    .describe(
      'Permissions boundary of every role that the stacks create. The role of the rotation functions is created by AWS, without one.',
    ),
  bootstrapQualifier: text('must be 1–10 lower-case letters and digits', /^[a-z0-9]{1,10}$/)
    .optional()
    .describe('Qualifier that the account was bootstrapped with. Left out: that of the CDK.'),
  size: z
    .enum(SIZES, { error: 'must be small, medium, large or xlarge' })
    .optional()
    .describe(
      'Size by the users of a day: `small` up to 1,000, `medium` 10,000, `large` 100,000, `xlarge` a million. It decides what is left out of `databases`, `cache` and `processorConcurrency`; docs/costs.md has each, with its price. Changed later, it changes instance classes: minutes without the database, less with a standby.',
    ),
  databases: z
    .strictObject(
      { billing: database, main: database },
      missing('must be `billing` and `main`, each to `create` or `existing`; or leave it out, and say a `size`'),
    )
    .describe('The two databases.'),
  stripe: stripe.describe('Which Stripe, and what its objects belong to.'),
  domain: domain
    .optional()
    .describe(
      'Domain name of the API. Switching it on or off changes the URL of the endpoint and disables the former one: choose before Stripe is given the URL. Left out: the address that API Gateway assigns, which is lost with the API.',
    ),
  firewall: flag
    .default(true)
    .describe('The firewall in front of the API. Without it, only throttling and the signature protect the endpoint.'),
  computedAlarms: flag
    .default(true)
    .describe(
      'Alarms on ratios and sums of several metrics. Without them, only alarms on a single metric are created, which cost less and detect less.',
    ),
  dashboards: flag
    .default(true)
    .describe(
      'Two dashboards in CloudWatch: one of everything, and a short one for a phone at night. The first three of an account are free.',
    ),
  savedQueries: flag
    .default(true)
    .describe('Queries of CloudWatch Logs Insights for the usual questions of on-call, saved in the account.'),
  gradualDeployments: flag
    .default(true)
    .describe(
      'A new version of the functions on the way of an event gets a tenth of the work for 15 minutes, and is taken back when an alarm rings. Off: all at once, also while an alarm rings, such as for the version that ends it.',
    ),
  canary: flag
    .default(true)
    .describe(
      'Every five minutes, send a signed event through the endpoint and look for its row in the ledger. Off: a break between the endpoint and the database is noticed when an event of Stripe meets it.',
    ),
  apiRequestsPerMinute: whole(1_000, 150_000)
    .default(15_000)
    .describe(
      'Requests that one key of the API has in a minute, counted by the hundred. Fewer refuse an application in its busiest minute; more let one key use up what the routes admit for all.',
    ),
  processorConcurrency: whole(2, 100)
    .default(5)
    .describe(
      'Batches of events that are applied at a time, each with a connection and a reserved concurrency of Lambda. Fewer drain a backlog more slowly; more take connections and CPU from the application.',
    ),
  largeArchives: largeArchives
    .prefault({})
    .describe('How a database is archived that is too large for one call of a function.'),
  cache: z
    .strictObject({
      kind: z
        .enum(['none', 'serverless'], { error: 'must be none or serverless' })
        .describe('`none`: every read goes to the database.'),
    })
    .default({ kind: 'none' })
    .describe('Cache of entitlements.'),
  reconciliation: reconciliation.prefault({}).describe('The daily comparison with Stripe.'),
  tilled: flag
    .optional()
    .describe('Takes the webhooks of Tilled as well: [Tilled](tilled.md). Left out: nothing of it is deployed.'),
  erasure: erasure
    .prefault({})
    .describe('What an erasure removes from the main database: [Erasure](erasure.md#the-main-database).'),
  bitcoin: bitcoin
    .optional()
    .describe('Payments in bitcoin: [Bitcoin](bitcoin.md). Left out: none, and nothing of it is deployed.'),
  openTelemetry: openTelemetry
    .optional()
    .describe(
      'Traces of the functions by OpenTelemetry as well, to any receiver: [Traces](deploy.md#traces). Left out: X-Ray only.',
    ),
  runbookUrl: text(
    'must be an https URL of at most 200 characters, without `#` and `?`, such as `https://github.com/example/billing-operations/blob/main/docs/runbook.md`',
    /^(?=.{12,200}$)https:\/\/[\w.-]+(:\d+)?\/[^\s#?]*$/,
  ).describe(
    "The runbook as a page that on-call can open, usually `docs/runbook.md` at the company's repository host. Alarms link to its headings.",
  ),
  alarmEmails: alertEmails
    .prefault({})
    .describe(
      'E-mail addresses that each severity notifies. Left out: none; subscribe the on-call tool to the topics.',
    ),
  alarmOwners: alarmOwners
    .default({})
    .describe(
      'Groups whose alarms go to topics of their own, and not to the shared ones: [Who is woken](alarms.md#who-is-woken). Left out: all groups share the two topics.',
    ),
} as const;

/** All settings but the name, which is that of the file. */
export const settings = z.strictObject(SETTINGS);
export type Settings = z.output<typeof settings>;
