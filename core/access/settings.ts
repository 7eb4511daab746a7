import * as z from 'zod';
import { FUNCTION_LOGINS, PERSON_ACCESS } from './contract';

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
const people = z.array(z.strictObject({ user: z.string().min(1).max(63), access: z.enum(PERSON_ACCESS) })).default([]);

/** Settings of the function that makes roles: secrets of the logins of functions, and people. */
export const accessSettings = {
  LOGIN_SECRETS: json('JSON such as {"billing": {"service": "arn:…"}, "main": {}}', byDatabase(secrets)),
  DATABASE_PEOPLE: json(
    'JSON such as {"billing": [{"user": "ann", "access": "readonly"}], "main": []}',
    byDatabase(people),
  ),
};
