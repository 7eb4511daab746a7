import * as z from 'zod';
import { secretArnSetting } from '../runtime/environment';
import { parseHooks } from './contract';

/** Settings of a function that erases people, or restores what they may be in; see `ErasureEnvironment`. */
export const erasureSettings = {
  ERASURE_KEY_SECRET_ARN: secretArnSetting(),
  ERASURE_HOOKS: z.string({ error: 'the hooks of erasures, or empty for none' }).transform((text, context) => {
    try {
      return parseHooks(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'malformed hooks' });
      return z.NEVER;
    }
  }),
};
