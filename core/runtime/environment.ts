import * as z from 'zod';
import { ConfigurationError } from './errors';

/** The forms that settings take, each with the sentence that a wrong value is answered with. */
export const setting = {
  text: (form: string) => z.string({ error: form }).trim().min(1, form),
  url: (form = 'a URL such as https://example.com') => z.url({ error: form }),
  integer: (min: number, max: number) => {
    const form = `a whole number from ${min} to ${max}`;
    return z
      .string({ error: form })
      .regex(/^\d+$/, form)
      .transform(Number)
      .refine((value) => value >= min && value <= max, form);
  },
  flag: () => z.enum(['true', 'false'], { error: '`true` or `false`' }).transform((value) => value === 'true'),
  /** May be empty: empty means that the thing does not exist in this environment. */
  optionalText: () => z.string({ error: 'text, or empty where it does not apply' }).trim(),
};

const base = {
  ENVIRONMENT_NAME: setting.text('the name of the environment, such as `production`'),
  LOG_LEVEL: z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR'], { error: '`DEBUG`, `INFO`, `WARN` or `ERROR`' }),
};

const secretArn = () => setting.text('the ARN or name of a Secrets Manager secret');

/** Settings of every function. */
export const baseSettings = base;

/** Settings of a function that connects to the billing database. */
export const billingDatabaseSettings = {
  BILLING_DATABASE_HOST: setting.text('a host name or address'),
  BILLING_DATABASE_PORT: setting.integer(1, 65_535),
  BILLING_DATABASE_NAME: setting.text('the name of the database'),
  BILLING_DATABASE_SECRET_ARN: secretArn(),
};

/** Settings of a function that connects to the main database. */
export const mainDatabaseSettings = {
  MAIN_DATABASE_HOST: setting.text('a host name or address'),
  MAIN_DATABASE_PORT: setting.integer(1, 65_535),
  MAIN_DATABASE_NAME: setting.text('the name of the database'),
  MAIN_DATABASE_SECRET_ARN: secretArn(),
  MAIN_DATABASE_MANAGED: z.enum(['here', 'elsewhere'], { error: '`here` or `elsewhere`' }).default('here'),
};

export const secretArnSetting = secretArn;

/**
 * Parses the environment of a function, at its start, so that a bad deployment fails before it takes any work.
 *
 * @throws ConfigurationError naming every missing or malformed variable and the form that it should have. The value is
 * not repeated: it might be a secret put into the wrong variable.
 */
export function readEnvironment<Shape extends z.ZodRawShape>(
  shape: Shape,
  source: Record<string, string | undefined> = process.env,
): z.infer<z.ZodObject<Shape>> {
  const result = z.object(shape).safeParse(source);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    const variable = issue.path.join('.');
    const state = source[variable] === undefined ? 'is missing' : 'is malformed';
    return `environment variable ${variable} ${state}: expected ${issue.message}`;
  });
  throw new ConfigurationError([...new Set(problems)].join('; '));
}
