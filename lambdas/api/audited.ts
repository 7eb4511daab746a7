import * as z from 'zod';
import type { Caller } from '../../core/keys/authenticate';
import { messageOf } from '../../core/runtime/errors';
import type { ApiDependencies } from './dependencies';
import { Problem } from './problem';

/** For the record of the end, and the answer: API Gateway gives up when the function's time is over. */
const RESERVE_MS = 3_000;
/** For the answer alone. */
const ANSWER_MS = 1_000;
const STILL_RUNNING = 'It takes longer than a request may last, and may still be running; look again in a minute';

/** Who asks for an action, and how long the answer may take. */
export interface ActionRequest {
  readonly caller: Caller | undefined;
  /** Milliseconds that are left. */
  readonly remainingMs: () => number;
}

/** As long as the contract of the audit function allows. */
const MAX_TEXT = 2000;

/** What is read of the answer of the function `audit`. */
const began = z.object({ id: z.string() });

/**
 * Runs an action between two records of the audit log, as `ops` does. An action whose beginning cannot be recorded is
 * refused.
 *
 * @param action what is done, as a sentence without secrets
 * @param run is given a signal that ends its wait while there is still time to record and to answer
 * @param hasFinding whether the result leaves something to do, which the log calls `finding`, as of a command. @default never
 * @throws Problem 504 `still_running` when the wait ended; what `run` threw, or why the beginning was not recorded
 */
export async function audited<T>(
  { ask, log }: Pick<ApiDependencies, 'ask' | 'log'>,
  { caller, remainingMs }: ActionRequest,
  action: string,
  run: (signal: AbortSignal) => Promise<T>,
  hasFinding: (result: T) => boolean = () => false,
): Promise<T> {
  const who = `API key ${caller?.keyId ?? 'none'} (${caller?.name ?? ''})`.slice(0, MAX_TEXT);
  const { id } = began.parse(
    await ask('audit', { action: 'begin', who, command: `API: ${action}`.slice(0, MAX_TEXT) }),
  );
  const endOfWait = (reserveMs: number): AbortSignal =>
    AbortSignal.timeout(Math.max(0, Math.floor(remainingMs() - reserveMs)));
  const finish = (result: 'done' | 'finding' | 'failed' | 'interrupted', message?: string): Promise<unknown> =>
    ask('audit', { action: 'finish', id, result, message: message?.slice(0, MAX_TEXT) }, endOfWait(ANSWER_MS)).catch(
      (error: unknown) =>
        log.error('The end of an action was not recorded in the audit log', { id, reason: messageOf(error) }),
    );
  const signal = endOfWait(RESERVE_MS);
  try {
    const result = await run(signal);
    await finish(hasFinding(result) ? 'finding' : 'done');
    return result;
  } catch (error) {
    if (signal.aborted) {
      await finish('interrupted', STILL_RUNNING);
      throw new Problem(504, 'still_running', STILL_RUNNING);
    }
    await finish('failed', messageOf(error));
    throw error;
  }
}
