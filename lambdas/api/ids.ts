import * as z from 'zod';
import { LONGEST_OWN_ID } from '../../core/billing/owner';

/** What an application calls a user or a project: no control characters, which no id has and PostgreSQL refuses in part. */
const idText = (what: string) => {
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
};

export const userId = idText('a user');
export const projectId = idText('a project');
export const appId = idText('an app');
export const itemId = idText('what is bought');
