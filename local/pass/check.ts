import { setTimeout as sleep } from 'node:timers/promises';

/** A check of the pass failed. */
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
 * Polls until nothing is missing any more.
 *
 * @param look describes what is still missing; undefined when nothing is
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
