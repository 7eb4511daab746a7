import { setTimeout as sleep } from 'node:timers/promises';

export const SECOND = 1000;

/** What a state machine takes the time from, and waits by. */
export interface WorkflowClock {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Returns, or resolves, when the time has passed. */
  wait(milliseconds: number): void | Promise<void>;
}

/**
 * The time of this machine, with short waits: where nothing takes as long as RDS does, a state that waits half a minute before
 * it looks again would only make a person wait.
 *
 * @param longestMs longest wait, in milliseconds
 * @param stop ends a wait
 */
export function impatientClock(longestMs: number, stop: AbortSignal): WorkflowClock {
  return {
    get nowMs() {
      return Date.now();
    },
    async wait(milliseconds) {
      await sleep(Math.min(milliseconds, longestMs), undefined, { signal: stop }).catch(() => undefined);
    },
  };
}
