import * as z from 'zod';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import { databaseName, dryRun, isoTime, type OperationContract } from '../../core/runtime/contract';

export interface MigrateEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {
  /** JSON: secrets of the logins of functions, by database and login. @default none */
  readonly LOGIN_SECRETS?: string;
  /** JSON: names of people who log in by IAM, by database and by what they may do. @default none */
  readonly DATABASE_PEOPLE?: string;
}

const adopt = z
  .string()
  .min(1)
  .optional()
  .describe(
    'Name of the PostgreSQL database, typed, to place the records of this platform in a database whose tables another tool makes. Only where the environment says that it is managed elsewhere. Default: a database with tables but no identity is refused.',
  );
const name = z
  .string()
  .regex(/^\d{4}_[a-z0-9_]+$/, 'expected the name of a migration, such as 0007_create_refunds')
  .describe('Name of the migration.');

export const migrateRequest = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('status').describe('Lists the migrations that were applied and those that are pending.'),
    database: databaseName,
  }),
  z.strictObject({
    action: z
      .literal('plan')
      .describe(
        'Runs the pending migrations in an empty database beside, and answers what each statement locks, for how long tables of the present size would wait, and what would be lost.',
      ),
    database: databaseName,
    adopt,
  }),
  z.strictObject({
    action: z
      .literal('validate')
      .describe('Compares the record of migrations with the files, and the schema with the one that they make.'),
    database: databaseName,
  }),
  z.strictObject({
    action: z.literal('apply').describe('Applies the pending migrations, each in a transaction of its own.'),
    database: databaseName,
    dryRun,
    adopt,
  }),
  z.strictObject({
    action: z.literal('rollback').describe('Takes the last applied migration back by its down part.'),
    database: databaseName,
    name: name.optional().describe('Name of that migration. Needed unless dry, so that asking twice takes back one.'),
    dryRun,
  }),
  z.strictObject({
    action: z
      .literal('resolve')
      .describe('Corrects the record after a migration was applied, or undone, by hand. Runs no migration.'),
    database: databaseName,
    name,
    as: z
      .enum(['applied', 'rolled-back'])
      .describe('`applied`: its statements were run by hand. `rolled-back`: what it made was undone by hand.'),
    dryRun,
  }),
  z.strictObject({
    action: z.literal('access').describe('Compares roles and privileges with the policy, and makes them so.'),
    database: databaseName,
    host: z
      .string()
      .min(1)
      .optional()
      .describe('A recovered instance beside the configured one. Default: the configured host.'),
    keep: z
      .array(z.string().min(1).max(63))
      .max(20)
      .readonly()
      .default([])
      .describe('Roles that are given, by name, what every role had so far: those of the application.'),
    passwordsOnly: z
      .boolean()
      .default(false)
      .describe(
        'Give logins the passwords of their secrets, and change nothing else: for a recovered instance, whose roles are those of an earlier moment.',
      ),
    dryRun,
  }),
]);
/** Asks about the migrations of one database, or for them to be applied or taken back. */
export type MigrateRequest = Readonly<z.input<typeof migrateRequest>>;

/** A request whose form was checked and whose defaults are filled in. */
export type CheckedMigrateRequest = Readonly<z.infer<typeof migrateRequest>>;

const RECORD = {
  database: databaseName,
  applied: z.array(z.string()).describe('Names of the migrations that are applied, in their order.'),
  pending: z.array(z.string()).describe('Names of the migrations that are not; a dry run would apply these.'),
  current: z.string().nullable().describe('The last applied migration, which names the version of the schema.'),
};

export const migrateReport = z.strictObject({
  ...RECORD,
  dryRun: z.boolean().describe('`true` when nothing was changed.'),
});
export type MigrateReport = Readonly<z.infer<typeof migrateReport>>;

const examinedStatement = z.strictObject({
  sql: z.string(),
  locks: z
    .array(
      z.strictObject({
        table: z.string().describe('`schema.table`, one that exists before the migration.'),
        mode: z.string().describe("PostgreSQL's name of the strongest lock."),
        stops: z.enum(['reads and writes', 'writes', 'nothing']).describe('What of other sessions waits for it.'),
      }),
    )
    .describe('Locks that it takes; they are kept to the end of the migration.'),
  seconds: z
    .number()
    .describe('Estimated duration with the present sizes, on a server without other load; 0 is a moment.'),
  loses: z.array(z.string()).describe('What of the present data it removes or may shorten.'),
});

const examinedMigration = z.strictObject({
  name: z.string(),
  inTransaction: z.boolean().describe('`false` where it runs statement by statement, and is resumed after a failure.'),
  statements: z.array(examinedStatement),
  blocked: z
    .array(
      z.strictObject({
        table: z.string(),
        stops: z.enum(['reads and writes', 'writes']),
        seconds: z.number().describe('From the lock to the end of the migration, estimated.'),
      }),
    )
    .describe('Tables whose readers or writers wait.'),
  fails: z.string().nullable().describe('Why it fails in an empty database; null where it runs.'),
});
export type ExaminedMigration = z.infer<typeof examinedMigration>;
export type ExaminedStatement = z.infer<typeof examinedStatement>;

export const planReport = z.strictObject({
  ...RECORD,
  plan: z.array(examinedMigration).describe('The pending migrations, in the order of an apply.'),
  notExamined: z.string().nullable().describe('Why locks are not known, such as a role that may create no database.'),
});
export type PlanReport = Readonly<z.infer<typeof planReport>>;

export const validateReport = z.strictObject({
  database: databaseName,
  valid: z.boolean(),
  problems: z.array(z.string()).describe('What is wrong and what to do, a sentence each.'),
  notChecked: z.array(z.string()).describe('What could not be compared, and why.'),
  files: z.int().describe('Migration files of the function.'),
  applied: z.int().describe('Migrations on record.'),
});
export type ValidateReport = Readonly<z.infer<typeof validateReport>>;

export const rollbackReport = z.strictObject({
  ...RECORD,
  dryRun: z.boolean(),
  down: examinedMigration.nullable().describe('The down part; null where the migration has none.'),
  appliedAt: isoTime.describe('ISO time at which the migration was applied.'),
});
export type RollbackReport = Readonly<z.infer<typeof rollbackReport>>;

export const accessReport = z.strictObject({
  database: databaseName,
  dryRun: z.boolean().describe('`true` when nothing was changed.'),
  changes: z
    .array(
      z.strictObject({
        verb: z.enum(['create', 'alter', 'grant', 'revoke']),
        role: z.string().describe('Role that gains or loses; `public` for every role of the server.'),
        what: z.string().describe('Such as `SELECT on billing.charges`.'),
        sql: z.string().describe('The statement. Holds no password.'),
      }),
    )
    .describe('Empty where roles and privileges are as the policy says.'),
  passwords: z.array(z.string()).describe('Users that get the password of their secret, which they do not have.'),
  locksOut: z
    .array(z.string())
    .describe(
      'Logins that connect only because every role may, and no longer could. Name in `keep` those that are needed.',
    ),
  obstacles: z.array(z.string()).describe('What is not as it should be and the user of the migrations cannot change.'),
});
export type AccessReport = Readonly<z.infer<typeof accessReport>>;

export type AnyMigrateReport = MigrateReport | PlanReport | ValidateReport | RollbackReport | AccessReport;

/** Lists, plans, applies, validates or takes back the migrations of one database. */
export const contract = {
  request: migrateRequest,
  report: z.union([migrateReport, rollbackReport, planReport, validateReport, accessReport]),
  effect: {
    status: 'reads',
    plan: 'reads',
    validate: 'reads',
    apply: 'changes',
    rollback: 'changes',
    resolve: 'changes',
    access: 'changes',
  },
} as const satisfies OperationContract;

/** The contract with the report of one kind of action. */
export const MIGRATIONS = {
  /** Of `status`, `apply` and `resolve`. */
  record: { ...contract, report: migrateReport },
  plan: { ...contract, report: planReport },
  validate: { ...contract, report: validateReport },
  rollback: { ...contract, report: rollbackReport },
  access: { ...contract, report: accessReport },
} as const;
