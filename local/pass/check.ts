import { setTimeout as sleep } from 'node:timers/promises';

/** A step of the pass did not end as it must. */
export class CheckFailed extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CheckFailed';
  }
}

/** @throws CheckFailed unless the condition holds */
export function check(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new CheckFailed(otherwise);
}

const POLL_MS = 50;

/**
 * Looks again and again until `look` finds nothing missing any more.
 *
 * @param look what is still missing, in words; undefined when nothing is
 * @throws CheckFailed with what is missing when the deadline has passed
 */
export async function waitUntil(look: () => Promise<string | undefined>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const missing = await look();
    if (missing === undefined) return;
    if (Date.now() >= deadline) throw new CheckFailed(`after ${timeoutMs / 1000} s: ${missing}`);
    await sleep(POLL_MS);
  }
}
