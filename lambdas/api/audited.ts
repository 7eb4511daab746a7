import * as z from 'zod';
import type { Caller } from '../../core/keys/authenticate';
import { messageOf } from '../../core/runtime/errors';
import type { ApiDependencies } from './dependencies';

/** As long as the contract of the audit function allows. */
const MAX_TEXT = 2000;

/** What is read of the answer of the function `audit`. */
const began = z.object({ id: z.string() });

/**
 * Runs an action between two records of the audit log, as `ops` does. An action whose beginning cannot be recorded is
 * refused.
 *
 * @param action what is done, as a sentence without secrets
 * @throws what `run` threw, or why the beginning was not recorded
 */
export async function audited<T>(
  { ask, log }: Pick<ApiDependencies, 'ask' | 'log'>,
  caller: Caller | undefined,
  action: string,
  run: () => Promise<T>,
): Promise<T> {
  const who = `API key ${caller?.keyId ?? 'none'} (${caller?.name ?? ''})`.slice(0, MAX_TEXT);
  const { id } = began.parse(
    await ask('audit', { action: 'begin', who, command: `API: ${action}`.slice(0, MAX_TEXT) }),
  );
  const finish = (result: 'done' | 'failed', message?: string): Promise<unknown> =>
    ask('audit', { action: 'finish', id, result, message: message?.slice(0, MAX_TEXT) }).catch((error: unknown) =>
      log.error('The end of an action was not recorded in the audit log', { id, reason: messageOf(error) }),
    );
  try {
    const result = await run();
    await finish('done');
    return result;
  } catch (error) {
    await finish('failed', messageOf(error));
    throw error;
  }
}
