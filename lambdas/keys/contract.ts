import * as z from 'zod';
import type { BaseEnvironment, BillingDatabaseEnvironment } from '../../core/contract';
import { API_KEY_ID, SCOPES, type ApiKeyEnvironment } from '../../core/keys/contract';
import { dryRun, isoTime, type OperationContract } from '../../core/runtime/contract';

export interface KeysEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, ApiKeyEnvironment {}

const MAX_PROJECTS = 100;
/** A week: longer, and nobody remembers that the old key still works. */
const MAX_OVERLAP_HOURS = 7 * 24;
const DEFAULT_OVERLAP_HOURS = 24;

const text = (what: string, max: number) => {
  const form = `expected ${what}, 1 to ${max} characters`;
  return z.string({ error: form }).trim().min(1, form).max(max, form);
};
const id = z
  .string({ error: 'expected the id of a key, such as 4fGh1kL0pQr2' })
  .regex(API_KEY_ID, 'expected the id of a key, such as 4fGh1kL0pQr2')
  .describe('Id of the key: what stands between `bok_` and the second underscore.');
const by = text('who does it', 500).describe('Who does it; kept with the key.');
const scopesForm = `expected at least one of ${SCOPES.join(', ')}`;
const scopes = z
  .array(z.enum(SCOPES, { error: scopesForm }), { error: scopesForm })
  .min(1, scopesForm)
  .max(SCOPES.length)
  .readonly()
  .describe('What it allows. `admin` allows everything.');
const projectsForm = `expected 1 to ${MAX_PROJECTS} ids of projects, or null for every project`;
const projects = z
  .array(text('the id of a project', 500), { error: projectsForm })
  .min(1, projectsForm)
  .max(MAX_PROJECTS, projectsForm)
  .readonly()
  .nullable()
  .describe('Ids of the projects that it is for; null for every project.');
const expiresAt = isoTime
  .nullable()
  .default(null)
  .describe('ISO time from which it is refused. Default: null, which is never.');

export const keysRequest = z.discriminatedUnion('action', [
  z
    .strictObject({
      action: z.literal('create').describe('Creates a key. Only this answer has it.'),
      name: text('a name', 200).describe('Name, such as that of the application.'),
      scopes,
      projects,
      expiresAt,
      by,
      dryRun,
    })
    .refine((request) => !request.scopes.includes('admin') || request.projects === null, {
      path: ['projects'],
      error: 'a key with the scope `admin` is for every project: expected null',
    }),
  z.strictObject({ action: z.literal('list').describe('Lists the keys, the newest first, without their secrets.') }),
  z.strictObject({
    action: z
      .literal('rotate')
      .describe('Creates a key that replaces another, which is refused once both were valid for a while.'),
    id,
    overlapHours: z
      .int()
      .min(0)
      .max(MAX_OVERLAP_HOURS)
      .default(DEFAULT_OVERLAP_HOURS)
      .describe(`Hours for which both are valid, 0 to ${MAX_OVERLAP_HOURS}. Default: ${DEFAULT_OVERLAP_HOURS}.`),
    by,
    dryRun,
  }),
  z.strictObject({
    action: z.literal('revoke').describe('Makes a key invalid, from the next request on and for good.'),
    id,
    by,
    dryRun,
  }),
]);
export type KeysRequest = Readonly<z.input<typeof keysRequest>>;
/** A request whose form was checked and whose defaults are filled in. */
export type CheckedKeysRequest = Readonly<z.infer<typeof keysRequest>>;

const keyShape = z.strictObject({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)).readonly(),
  projects: z.array(z.string()).readonly().nullable().describe('Null for every project.'),
  state: z.enum(['active', 'expired', 'revoked']),
  createdAt: isoTime,
  createdBy: z.string(),
  expiresAt: isoTime.nullable(),
  revokedAt: isoTime.nullable(),
  revokedBy: z.string().nullable(),
  rotatedTo: z.string().nullable().describe('Id of the key that replaces it.'),
  lastUsedAt: isoTime.nullable().describe('To the minute; null for never.'),
});
/** What is known of a key. */
export type ApiKey = Readonly<z.infer<typeof keyShape>>;

const key = z.string().nullable().describe('The key, which nothing can show again; null in a dry run.');
export const createKeyReport = z.strictObject({
  action: z.literal('create'),
  dryRun: z.boolean().describe('`true` when nothing was changed.'),
  key,
  created: keyShape.nullable().describe('Null in a dry run.'),
});
export const listKeysReport = z.strictObject({ action: z.literal('list'), keys: z.array(keyShape) });
export const rotateKeyReport = z.strictObject({
  action: z.literal('rotate'),
  dryRun: z.boolean().describe('`true` when nothing was changed.'),
  key,
  created: keyShape.nullable().describe('Null in a dry run.'),
  previous: keyShape.describe('The replaced key; its `expiresAt` is the end of the overlap.'),
});
export const revokeKeyReport = z.strictObject({
  action: z.literal('revoke'),
  dryRun: z.boolean().describe('`true` when nothing was changed.'),
  revoked: keyShape,
});

/** Creates, lists, rotates and revokes keys of the HTTP API. */
export const contract = {
  request: keysRequest,
  report: z.discriminatedUnion('action', [createKeyReport, listKeysReport, rotateKeyReport, revokeKeyReport]),
  effect: { create: 'changes', list: 'reads', rotate: 'changes', revoke: 'changes' },
} as const satisfies OperationContract;
export type KeysReport = Readonly<z.infer<typeof contract.report>>;
