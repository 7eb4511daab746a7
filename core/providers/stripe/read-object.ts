import type * as z from 'zod';
import { InvalidRequestError } from '../../runtime/errors';

/**
 * Checks what is read of an object.
 *
 * @param name what the object is called in the error
 * @throws InvalidRequestError naming up to five fields that are not as Stripe documents them
 */
export function readObject<Schema extends z.ZodType>(schema: Schema, object: unknown, name: string): z.infer<Schema> {
  const result = schema.safeParse(object);
  if (result.success) return result.data;
  const fields = result.error.issues.map((issue) => `${[name, ...issue.path].join('.')}: ${issue.message}`);
  throw new InvalidRequestError(fields.slice(0, 5).join('; '));
}

/**
 * The moment that Stripe gives in seconds since 1970; null for none.
 *
 * @throws InvalidRequestError when it is no time of the calendar
 */
export function dateOf(seconds: number | null | undefined): Date | null {
  if (seconds == null) return null;
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw new InvalidRequestError(`${seconds}: expected a time in seconds since 1970`);
  return date;
}
