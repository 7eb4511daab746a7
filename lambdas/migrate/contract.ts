import * as z from 'zod';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import { databaseName, dryRun, type OperationContract } from '../../core/runtime/contract';

export interface MigrateEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {}

export const migrateRequest = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('status').describe('Lists the migrations that were applied and those that are pending.'),
    database: databaseName,
  }),
  z.strictObject({
    action: z.literal('apply').describe('Applies the pending migrations, each in a transaction of its own.'),
    database: databaseName,
    dryRun,
    adopt: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Name of the PostgreSQL database, typed, to place the records of this platform in a database whose tables another tool makes. Only where the environment says that it is managed elsewhere. Default: a database with tables but no identity is refused.',
      ),
  }),
]);
/** Asks for the migrations of one database to be listed or applied. */
export type MigrateRequest = Readonly<z.input<typeof migrateRequest>>;

/** A request whose form was checked and whose defaults are filled in. */
export type CheckedMigrateRequest = Readonly<z.infer<typeof migrateRequest>>;

export const migrateReport = z.strictObject({
  database: databaseName,
  dryRun: z.boolean().describe('`true` when nothing was applied.'),
  applied: z.array(z.string()).describe('Names of the migrations that are applied, in their order.'),
  pending: z.array(z.string()).describe('Names of the migrations that are not; a dry run would apply these.'),
  current: z.string().nullable().describe('The last applied migration, which names the version of the schema.'),
});
export type MigrateReport = Readonly<z.infer<typeof migrateReport>>;

/** Lists or applies the migrations of one database. */
export const contract = {
  request: migrateRequest,
  report: migrateReport,
  effect: { status: 'reads', apply: 'changes' },
} as const satisfies OperationContract;
