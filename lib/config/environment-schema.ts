import * as z from 'zod';
import { ENVIRONMENT_NAME } from '../../core/contract';
import { refuseContradictions } from './environment-checks';
import { createdDatabase } from './database-settings';
import { SETTINGS, settings } from './environment-settings';
import { text } from './fields';
import { withSize } from './sizes';
import { suggestSetting } from './suggest-setting';

export type { CreatedDatabaseConfig, DatabaseConfig, ExistingDatabaseConfig } from './database-settings';

const schema = z
  .strictObject({
    name: text(
      'must be 1–14 lower-case letters, digits and single `-`, starting with a letter, such as `production-eu`',
      ENVIRONMENT_NAME,
    ),
    ...SETTINGS,
  })
  .superRefine((config, context) => {
    refuseContradictions(config, (path, message) => context.addIssue({ code: 'custom', path: [...path], message }));
  });

/** One environment as an adopter writes it: everything with a default may be left out. */
export type EnvironmentInput = z.input<typeof schema>;
/** One environment, checked and complete. */
export type EnvironmentConfig = z.output<typeof schema>;
export type DomainConfig = NonNullable<EnvironmentConfig['domain']>;

/** A setting that is wrong. */
export interface Problem {
  /** Where the setting is: names of fields, and indices of lists. */
  readonly path: readonly string[];
  /** The field, its form and its value, in one line. */
  readonly text: string;
}

/** Checks an environment and fills in what it leaves out; of a wrong one, answers every problem. */
export function checkEnvironment(
  input: unknown,
): { readonly config: EnvironmentConfig } | { readonly problems: readonly Problem[] } {
  const result = schema.safeParse(withSize(input));
  if (result.success) return { config: result.data };
  return { problems: result.error.issues.map((issue) => problemOf(issue, input)) };
}

/**
 * Checks an environment and fills in what it leaves out.
 *
 * @throws Error naming the environment, every wrong field, its expected form and its value
 */
export function defineEnvironment(input: EnvironmentInput): EnvironmentConfig {
  const checked = checkEnvironment(input);
  if ('config' in checked) return checked.config;
  throw new Error(`environment \`${input.name}\`: ${checked.problems.map((problem) => problem.text).join('; ')}`);
}

function problemOf(issue: z.core.$ZodIssue, input: unknown): Problem {
  const path = issue.path.map(String);
  const field = path.join('.') || 'config';
  if (issue.code === 'unrecognized_keys') {
    // Zod's own words add nothing to the names; those of a setting say which ones there are.
    const known = issue.message.startsWith('Unrecognized') ? '' : `; ${issue.message}`;
    const schemaOfSettings = settingsJsonSchema();
    const names = issue.keys.map((name) => {
      const meant = suggestSetting(schemaOfSettings, path, name);
      return meant === undefined ? name : `${name} (did you mean ${meant}?)`;
    });
    return {
      path: [...path, ...issue.keys.slice(0, 1)],
      text: `${field}: unknown setting ${names.join(', ')}${known}`,
    };
  }
  return {
    path,
    text: `${field}: ${formOf(issue)}, got ${describe(valueAt(input, path))}`.replace(': must', ' must'),
  };
}

/** What Zod says of a whole group or list in words of its own. */
const KINDS: Readonly<Record<string, string>> = { object: 'a group of settings', record: 'a group', array: 'a list' };

function formOf(issue: z.core.$ZodIssue): string {
  const kind = issue.code === 'invalid_type' && issue.message.startsWith('Invalid') ? KINDS[issue.expected] : undefined;
  return kind === undefined ? issue.message : `must be ${kind}`;
}

/** The value of a setting that may not be there. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | null | undefined)?.[key], value);
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'object') return 'an object';
  // What stands before the host of a URL may be a password, and the message goes to a log.
  return JSON.stringify(value).replace(/:\/\/[^/@]*@/, '://…@');
}

/** The JSON schema of settings that name no size. */
export function settingsJsonSchema(): object {
  return z.toJSONSchema(settings, { io: 'input' });
}

/** The JSON schema of an environment's file, with which an editor completes and explains settings. */
export function environmentJsonSchema(): object {
  return {
    title: 'Environment of billing operations',
    ...z.toJSONSchema(settings, {
      io: 'input',
      // Where a size is given, it decides what is left out; without one, the check names what is missing.
      override: ({ zodSchema, jsonSchema }) => {
        if (zodSchema === settings) jsonSchema.required = jsonSchema.required?.filter((name) => name !== 'databases');
        if (zodSchema === createdDatabase || zodSchema === SETTINGS.databases) delete jsonSchema.required;
      },
    }),
  };
}
