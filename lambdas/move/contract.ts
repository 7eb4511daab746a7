import * as z from 'zod';
import type { BaseEnvironment, BillingDatabaseEnvironment } from '../../core/contract';
import { isoTime, type OperationContract } from '../../core/runtime/contract';

export interface MoveEnvironment extends BaseEnvironment, BillingDatabaseEnvironment {
  /** The other server: the new one until the configuration names it, the old one from then on. */
  readonly MOVE_HOST: string;
  readonly MOVE_PORT: string;
  readonly MOVE_DATABASE_NAME: string;
  /** Secret with JSON `{"username": …, "password": …}` of its administrator. */
  readonly MOVE_SECRET_ARN: string;
  /** JSON: secrets of the logins of functions, by database and login. @default none */
  readonly LOGIN_SECRETS?: string;
  /** JSON: `host:port` of what functions connect to besides the server itself, such as a proxy. @default none */
  readonly MOVE_FROM?: string;
}

/** Days for which the old server is kept, and receives what is written on the new one, so that a move can be taken back. */
export const KEPT_DAYS = 7;
/** Hours for which a comparison of the rows counts: a cut-over wants one. */
export const VERIFIED_HOURS = 24;

/** How far a move is. `none`: there is no move, or the last one ended. */
export const MOVE_STAGES = [
  'none',
  'copying',
  'cutting-over',
  'switching',
  'cut-over',
  'rolling-back',
  'switching-back',
  'rolled-back',
  'finished',
] as const;
export type MoveStage = (typeof MOVE_STAGES)[number];

const abandon = z
  .boolean()
  .default(false)
  .describe('Go on without the server that does not answer, and lose what it alone holds.');

const confirm = z
  .string()
  .min(1)
  .optional()
  .describe(
    'Address of the server that will take writes, typed. Default: says what would be done, and changes nothing.',
  );

export const moveRequest = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('plan').describe('Checks both servers, and says how far a move is.') }),
  z.strictObject({
    action: z
      .literal('copy')
      .describe('Makes the schema on the new server and begins to copy the rows. Repeating it changes nothing.'),
  }),
  z.strictObject({ action: z.literal('progress').describe('How much is copied, and how far behind the copy is.') }),
  z.strictObject({
    action: z.literal('verify').describe('Compares schema and rows of both servers, while both are in use.'),
    continueFrom: z.string().min(1).optional().describe('Table to continue at: `continueFrom` of the last answer.'),
    equalSoFar: z.boolean().default(true).describe('`equal` of the last answer, where this call continues one.'),
  }),
  z.strictObject({ action: z.literal('cut-over').describe('Lets the new server take the writes.'), confirm, abandon }),
  z.strictObject({
    action: z.literal('roll-back').describe('Lets the old server take the writes again, with what was written since.'),
    confirm,
    abandon,
  }),
  z.strictObject({
    action: z.literal('finish').describe('Ends replication and removes what a move made.'),
    confirm,
    early: z.boolean().default(false).describe(`Before the ${KEPT_DAYS} days are over.`),
  }),
]);
export type MoveRequest = z.input<typeof moveRequest>;
export type CheckedMoveRequest = z.output<typeof moveRequest>;

const address = z.string().describe('`host:port/database`.');
const stage = z.enum(MOVE_STAGES);
const count = z.number().describe('Rows, estimated until they are compared.');

const state = {
  stage,
  source: address.describe('The old server.'),
  target: address.describe('The new server.'),
};

const check = z.strictObject({
  check: z.string(),
  ok: z.boolean(),
  detail: z.string().describe('What was found, and what to do where it is not ok.'),
});

export const planReport = z.strictObject({
  ...state,
  startedAt: isoTime.nullable(),
  verifiedAt: isoTime.nullable(),
  cutOverAt: isoTime.nullable(),
  checks: z.array(check),
  tables: z.int().describe('Tables to copy.'),
  rows: count,
  bytes: z.number().describe('Bytes of the database.'),
  sequences: z.int(),
  identities: z.array(z.string()).describe('Tables without a primary key, which get a replica identity until the end.'),
  retainedBytes: z.number().nullable().describe('Log that a server keeps for replication; null while there is none.'),
});
export type PlanReport = z.infer<typeof planReport>;

const copiedTable = z.strictObject({ table: z.string(), rows: count, copied: count, ready: z.boolean() });

export const progressReport = z.strictObject({
  ...state,
  tables: z.array(copiedTable).describe('Those that are not copied yet.'),
  tablesReady: z.int(),
  tablesAll: z.int(),
  rowsCopied: count,
  rowsAll: count,
  lagBytes: z.number().nullable().describe('Log that was not applied yet; null before replication has begun.'),
  lagSeconds: z.number().nullable().describe('How long a row took to arrive; null while tables are being copied.'),
  retainedBytes: z.number().nullable(),
});
export type ProgressReport = z.infer<typeof progressReport>;

const comparedTable = z.strictObject({
  table: z.string(),
  rows: z.number().describe('On the source.'),
  differences: z.int().describe('Parts of the table that differ on both servers after every attempt.'),
});

export const verifyReport = z.strictObject({
  ...state,
  equal: z.boolean().describe('Of this call and of those that it continues.'),
  schemaDifferences: z.array(z.string()),
  tables: z.array(comparedTable),
  rows: z.number().describe('Rows compared.'),
  continueFrom: z.string().nullable().describe('Table that the next call continues at; null when all were compared.'),
});
export type VerifyReport = z.infer<typeof verifyReport>;

export const changeReport = z.strictObject({
  ...state,
  dryRun: z.boolean().describe('`true`: nothing was changed.'),
  confirmWith: z.string().describe('What to type.'),
  steps: z.array(z.string()).describe('What was done, or would be.'),
  pauseMs: z.number().nullable().describe('Milliseconds for which writes waited.'),
  next: z.string().describe('What comes next.'),
});
export type ChangeReport = z.infer<typeof changeReport>;

/** What each action is answered with. */
export const MOVES = {
  plan: { request: moveRequest, report: planReport, effect: 'reads' },
  progress: { request: moveRequest, report: progressReport, effect: 'adds' },
  copy: { request: moveRequest, report: changeReport, effect: 'adds' },
  verify: { request: moveRequest, report: verifyReport, effect: 'adds' },
  change: { request: moveRequest, report: changeReport, effect: 'changes' },
} as const satisfies Readonly<Record<string, OperationContract>>;

/** Moves the billing database to another server. */
export const contract = {
  request: moveRequest,
  report: z.union([planReport, progressReport, verifyReport, changeReport]),
  effect: {
    plan: 'reads',
    copy: 'adds',
    progress: 'adds',
    verify: 'adds',
    'cut-over': 'changes',
    'roll-back': 'changes',
    finish: 'changes',
  },
} as const satisfies OperationContract;
