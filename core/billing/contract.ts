import * as z from 'zod';

/**
 * Longest id of the application's own, in bytes: as long as what metadata hold, in the letters that ids are made of. Users,
 * projects and what they may use share an entry of an index, which holds 2,704 bytes.
 */
export const LONGEST_OWN_ID = 500;

/** What an application calls a user or a project: no control characters, which no id has and PostgreSQL refuses in part. */
export function ownId(what: string) {
  const form = `expected the id of ${what}: 1 to ${LONGEST_OWN_ID} bytes, none of them a control character`;
  return (
    z
      .string({ error: form })
      .min(1, form)
      .max(LONGEST_OWN_ID, form)
      .refine((text) => Buffer.byteLength(text) <= LONGEST_OWN_ID && !/\p{Cc}/u.test(text), form)
      // Readers of the OpenAPI document know no flags of a pattern.
      .meta({ pattern: String.raw`^[^\u0000-\u001F\u007F-\u009F]+$` })
  );
}
