import { setTimeout as sleep } from 'node:timers/promises';

export const SECOND = 1000;

/** What a state machine takes the time from, and waits by. */
export interface WorkflowClock {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Returns, or resolves, when the time has passed. */
  wait(milliseconds: number): void | Promise<void>;
}

/** The first wait of an execution. */
const FIRST_WAIT_MS = 20;

/**
 * The time of this machine, with short waits: where nothing takes as long as RDS does, a state that waits half a minute before
 * it looks again would only make a person wait. Each is twice as long as the one before, for what does take its time.
 *
 * @param longestMs longest wait, in milliseconds
 * @param stop ends a wait
 */
export function impatientClock(longestMs: number, stop: AbortSignal): WorkflowClock {
  let limitMs = Math.min(FIRST_WAIT_MS, longestMs);
  return {
    get nowMs() {
      return Date.now();
    },
    async wait(milliseconds) {
      const waitMs = Math.min(milliseconds, limitMs);
      limitMs = Math.min(2 * limitMs, longestMs);
      await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined);
    },
  };
}
