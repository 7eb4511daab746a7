import * as z from 'zod';
import { API_ALIAS, type BaseEnvironment } from '../../core/contract';
import { isoTime, type OperationContract } from '../../core/runtime/contract';

export interface AuditEnvironment extends BaseEnvironment {
  readonly ARCHIVE_BUCKET: string;
}

/** Folder of the records in the archive bucket: `audit/<yyyy>/<mm>/<dd>/<id>/`. The function writes nowhere else. */
export const AUDIT_PREFIX = 'audit/';

/** Days that a record cannot be deleted: PCI asks for a year. */
export const AUDIT_RETENTION_DAYS = 366;

/** Id of an action, such as `20261121T061500Z-1f0c9a3e`: sorts by time, and no two actions of a second share it. */
const ACTION_ID = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;

const MAX_TEXT = 2000;
const MAX_DAYS = 400;
const MAX_LISTED = 200;
const listForm = `expected a whole number from 1 to ${MAX_LISTED}`;
const daysForm = `expected a whole number of days from 1 to ${MAX_DAYS}`;

const id = z.string().regex(ACTION_ID, 'expected the id of an action, such as 20261121T061500Z-1f0c9a3e');

const result = z
  .enum(['done', 'finding', 'usage', 'refused', 'failed', 'interrupted'])
  .describe(
    'The exit of the command; `interrupted` when the operator stopped waiting, and the action may have gone on.',
  );

const finish = z.strictObject({
  action: z.literal('finish').describe('Records how an action ended.'),
  id: id.describe('Id of the answer to `begin`.'),
  result,
  message: z.string().max(MAX_TEXT).optional().describe('Why it did not end well. Default: none.'),
});

export const auditRequest = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('begin').describe('Records that an operator begins an action.'),
    who: z.string().min(1).max(MAX_TEXT).describe('ARN of the caller, as STS reports it.'),
    command: z.string().min(1).max(MAX_TEXT).describe('The command line. It never holds a secret.'),
  }),
  finish,
  z.strictObject({
    action: z.literal('list').describe('Lists the actions of the last days, the newest first.'),
    days: z
      .int(daysForm)
      .min(1, daysForm)
      .max(MAX_DAYS, daysForm)
      .default(7)
      .describe('Days to look back. Default: 7.'),
    until: isoTime.optional().describe('Only actions that began before this ISO time. Default: all.'),
    limit: z.int(listForm).min(1, listForm).max(MAX_LISTED, listForm).default(50).describe('Actions to list at most.'),
  }),
]);
export type AuditRequest = Readonly<z.input<typeof auditRequest>>;
/** A request whose form was checked and whose defaults are filled in. */
export type CheckedAuditRequest = Readonly<z.infer<typeof auditRequest>>;

export const beganReport = z.strictObject({ action: z.literal('begin'), id });
export const finishedReport = z.strictObject({ action: z.literal('finish'), id });
export const auditList = z.strictObject({
  action: z.literal('list'),
  actions: z.array(
    z.strictObject({
      id,
      begunAt: isoTime,
      who: z.string(),
      command: z.string(),
      finishedAt: isoTime.nullable().describe('Null while it runs, and of one whose end was not recorded.'),
      result: result.nullable(),
      message: z.string().nullable(),
    }),
  ),
});

/** Records of the API's own actions: it cannot write in the name of an operator, nor read the log. */
const requestOfApi = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('begin'),
    who: z.string().regex(/^API key /),
    command: z.string().regex(/^API: /),
  }),
  finish,
]);

/** Records what operators do, where it cannot be changed, and lists it. */
export const contract = {
  request: auditRequest,
  report: z.discriminatedUnion('action', [beganReport, finishedReport, auditList]),
  effect: { begin: 'adds', finish: 'adds', list: 'reads' },
  aliases: { [API_ALIAS]: requestOfApi },
} as const satisfies OperationContract;
export type AuditReport = Readonly<z.infer<typeof contract.report>>;
