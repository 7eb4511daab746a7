import * as z from 'zod';
import { admission } from './network-settings';
import { databaseIdentifier, flag, host, keyArn, secretArn, securityGroupId, text, whole } from './fields';
import { existingRecovery } from './existing-recovery';
import { instanceClass } from './instance-class';
import { people, resourceId } from './people-settings';

const logins = z
  .enum(['owner', 'least'], { error: 'must be `owner` or `least`' })
  .default('owner')
  .describe(
    'As whom functions log in. `least`: the processor, backups, the collector and the API each as a user that may do no more than they need, whose password changes every 90 days; make the users by `ops access apply` first. `owner`: all as the user of the migrations.',
  );

/** Another server that the billing database moves to, or that it came from. */
const otherServer = z.strictObject(
  {
    host: host.describe('Host name or address of the other server, without scheme and port.'),
    port: whole(1, 65_535).default(5432).describe('TCP port.'),
    databaseName: databaseIdentifier.default('billing').describe('Name of the PostgreSQL database there.'),
    secretArn: secretArn.describe('Complete ARN of a JSON secret with `username` and `password` of its administrator.'),
    secretKeyArn: keyArn
      .optional()
      .describe("Customer-managed key of that secret. Left out: Secrets Manager's own key."),
    securityGroupId: securityGroupId
      .optional()
      .describe(
        'Its security group, which then admits every function that connects to billing. Left out: access is arranged elsewhere.',
      ),
  },
  { error: ({ code }) => (code === 'unrecognized_keys' ? undefined : 'must be at least { host, secretArn }') },
);
export type OtherServer = z.output<typeof otherServer>;

const move = otherServer
  .optional()
  .describe(
    'For billing: the server that `ops move` moves it to; once this names the new one as the database, the one that it came from. Deploys a function that connects to both and may write the secrets of the database: [Moving](move.md). Left out: nothing of it is deployed.',
  );

/** A database that the stack makes. */
export const createdDatabase = z.strictObject({
  kind: z.literal('create').describe('The stack creates the instance.'),
  instanceClass: instanceClass.describe('RDS instance class without `db.`, such as `m7g.large`.'),
  allocatedStorageGiB: whole(20, 65_536).describe(
    'GiB of disk at the start. RDS gp3 takes 20 or more, and never shrinks.',
  ),
  maximumStorageGiB: whole(22, 65_536).describe(
    'GiB up to which storage grows automatically. Caps the bill; once full, the database stops accepting writes.',
  ),
  multiAz: flag.describe('A standby in another zone: fails over in about a minute, costs as much again.'),
  proxy: flag
    .default(false)
    .describe(
      'A proxy that shares few connections among many functions and keeps them open through a failover. Off: they connect directly.',
    ),
  analyticsReplica: flag
    .default(false)
    .describe(
      'A read replica for reports and people, so that their queries never slow the writes. Costs as much as an instance.',
    ),
  logins,
  people,
  resourceId: resourceId.describe(
    'Resource id of the instance, such as `db-ABCDEFGHIJKLMNOPQRSTUVWXY2`, which the policies of `people` name. Left out: that of the instance that the stack made. After a recovery, that of its successor.',
  ),
  admit: admission
    .prefault({})
    .describe('Who connects to it and to its proxy, besides the functions: security groups and ranges of addresses.'),
  admitToReplica: admission.prefault({}).describe('Who connects to the analytics replica.'),
  move,
});

const existingDatabase = z.strictObject({
  kind: z.literal('existing').describe('The database runs already; the stack only connects to it.'),
  host: host.describe('Host name or address, without scheme and port.'),
  port: whole(1, 65_535).describe('TCP port.'),
  databaseName: databaseIdentifier.describe('Name of the PostgreSQL database.'),
  secretArn: secretArn.describe('Complete ARN of a JSON secret with `username` and `password`.'),
  secretKeyArn: keyArn.optional().describe("Customer-managed key of the secret. Left out: Secrets Manager's own key."),
  managed: z
    .enum(['here', 'elsewhere'], { error: 'must be `here` or `elsewhere`' })
    .default('here')
    .describe(
      'Who makes its tables: `here`, the migrations of this repository; `elsewhere`, another tool. There, this platform keeps its own records in a schema `operations`, changes nothing else, and vacuums what its role may. For the main database.',
    ),
  allocatedStorageGiB: whole(1, 65_536).describe('GiB of disk, for a database whose size RDS does not report.'),
  instanceIdentifier: text('must be an RDS instance identifier', /^[a-z][a-z0-9-]{0,62}$/)
    .optional()
    .describe('RDS identifier of the instance. Left out: not on RDS; the size is measured in PostgreSQL.'),
  recoveryPoints: z
    .enum(['here', 'elsewhere', 'none'], { error: 'must be `here`, `elsewhere` or `none`' })
    .default('here')
    .describe(
      'Which plan makes AWS Backup take recovery points of the instance: `here`, a plan of this stack with a locked vault; `elsewhere`, a plan of yours, whose newest point every backup checks; `none`, no plan, and no backup asks for them. On RDS only.',
    ),
  rotation: flag
    .default(false)
    .describe(
      'Change its password every 90 days. A function from AWS does it, which runs in the network. The secret must also have `engine: postgres`, `host`, `port`, `dbname` and `ssl: true`, and every other client of the database must read the password there.',
    ),
  logins,
  people,
  resourceId: resourceId.describe(
    'Resource id of the instance, such as `db-ABCDEFGHIJKLMNOPQRSTUVWXY2`. Needed with `people`, whose policies name it.',
  ),
  securityGroupId: securityGroupId
    .optional()
    .describe('Its security group, which then admits the functions. Left out: access is arranged elsewhere.'),
  recovery: existingRecovery
    .optional()
    .describe(
      'A workflow that recovers the whole instance, and one that archives in parts what is too large for one call, as for a created database. On RDS only. Left out: recover it by RDS, which exports a large one.',
    ),
  move,
});

/** One of the two databases: created here, or one that exists. */
export const database = z.discriminatedUnion('kind', [createdDatabase, existingDatabase], {
  error: 'must be of kind `create` or `existing`',
});

export type DatabaseConfig = z.output<typeof database>;
export type CreatedDatabaseConfig = Extract<DatabaseConfig, { kind: 'create' }>;
export type ExistingDatabaseConfig = Extract<DatabaseConfig, { kind: 'existing' }>;

/** Whether the stacks have the password of a database changed by itself. */
export function isRotated(settings: DatabaseConfig): boolean {
  return settings.kind === 'create' || settings.rotation;
}

/** Whether the stacks have AWS Backup take recovery points of a database. */
export function hasRecoveryPoints(settings: DatabaseConfig): boolean {
  return (
    settings.kind === 'create' || (settings.instanceIdentifier !== undefined && settings.recoveryPoints === 'here')
  );
}
