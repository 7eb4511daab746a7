import * as z from 'zod';
import type { BaseEnvironment } from '../../core/contract';
import { databaseName, dryRun, type OperationContract } from '../../core/runtime/contract';

export interface ResetPasswordEnvironment extends BaseEnvironment {
  readonly BILLING_DATABASE_SECRET_ARN: string;
  readonly MAIN_DATABASE_SECRET_ARN: string;
}

export const resetPasswordRequest = z.strictObject({
  database: databaseName,
  instanceIdentifier: z.string().min(1).describe('Identifier of the recovered RDS instance.'),
  masterUsername: z
    .string()
    .min(1)
    .optional()
    .describe(
      'User whose password RDS sets. If the secret is of another one, nothing is set: RDS cannot. Left out: it is that of the secret.',
    ),
  dryRun,
});
/** Asks for a recovered instance to be given the password that its database has now. */
export type ResetPasswordRequest = Readonly<z.input<typeof resetPasswordRequest>>;
/** A request whose form was checked and whose defaults are filled in. */
export type CheckedResetPasswordRequest = Readonly<z.infer<typeof resetPasswordRequest>>;

/** Never holds the password: a workflow keeps the answers of its functions. */
export const resetPasswordReport = z.strictObject({
  database: databaseName,
  instanceIdentifier: z.string().describe('Identifier of the instance.'),
  passwordSet: z
    .boolean()
    .describe('`false` of a dry run, and when the secret is of another user than the one whose password RDS sets.'),
  dryRun: z.boolean().describe('`true` when the secret could be read and the password was not set.'),
});
export type ResetPasswordReport = Readonly<z.infer<typeof resetPasswordReport>>;

/** Gives a recovered instance the current password of its database. */
export const contract = {
  request: resetPasswordRequest,
  report: resetPasswordReport,
  effect: 'changes',
} as const satisfies OperationContract;
