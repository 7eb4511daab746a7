import * as z from 'zod';

/** The secret under which keys are hashed. */
export const apiKeySecret = z.object({
  current: z.string({ error: 'expected a random text of at least 32 characters' }).min(32),
});
