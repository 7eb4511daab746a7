import * as z from 'zod';
import { DATABASE_NAMES, type DatabaseName } from '../contract';
import { FUNCTION_LOGINS, PERSON_ACCESS, type FunctionLogin } from './contract';

const json = <Schema extends z.ZodType>(form: string, schema: Schema) =>
  z
    .string({ error: form })
    .default('{}')
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue({ code: 'custom', message: form });
        return z.NEVER;
      }
    })
    .pipe(schema);

const byDatabase = <Schema extends z.ZodType>(schema: Schema) => z.strictObject({ billing: schema, main: schema });
const secrets = z.partialRecord(z.enum(FUNCTION_LOGINS), z.string().min(1)).default({});
const people = z
  .partialRecord(z.enum(PERSON_ACCESS), z.array(z.string().min(1).max(63)))
  .default({})
  .transform((names) => PERSON_ACCESS.flatMap((access) => (names[access] ?? []).map((user) => ({ user, access }))));

/** Settings of the function that makes roles: secrets of the logins of functions, and people. */
export const accessSettings = {
  LOGIN_SECRETS: json('JSON such as {"billing": {"service": "arn:…"}, "main": {}}', byDatabase(secrets)),
  DATABASE_PEOPLE: json('JSON such as {"billing": {"readonly": ["ann"]}, "main": {}}', byDatabase(people)),
};

/** Secrets of the logins of functions by the names that reports give them, such as `billing-login-service`. */
export function loginSecretArns(
  secretArns: Readonly<Record<DatabaseName, Readonly<Partial<Record<FunctionLogin, string>>>>>,
): Partial<Record<`${DatabaseName}-login-${FunctionLogin}`, string>> {
  const entries = DATABASE_NAMES.flatMap((database) =>
    Object.entries(secretArns[database]).map(([login, arn]) => [`${database}-login-${login}`, arn]),
  );
  return Object.fromEntries(entries) as ReturnType<typeof loginSecretArns>;
}
