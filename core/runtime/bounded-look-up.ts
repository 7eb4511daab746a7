/** Look-ups that may follow one another at once. Fewer, and senders of forged requests delay a new secret sooner. */
const BURST = 5;
/** Milliseconds after which one more is allowed. Longer delays a new secret beside forged requests; shorter costs more calls. */
const REFILL_MS = 10_000;

/**
 * Limits how often unknown senders make a function look something up: {@link BURST} times in a row, and once in
 * {@link REFILL_MS} after that.
 *
 * @param now milliseconds since 1970. The clock must also count the time in which Lambda has frozen the function. @default the system's
 * @returns what looks it up, or resolves to `undefined` when that was done too often lately
 */
export function boundedLookUp<Value>(
  lookUp: () => Promise<Value>,
  now: () => number = Date.now,
): () => Promise<Value | undefined> {
  let left = BURST;
  let countedAtMs = now();
  return async () => {
    const refilled = Math.max(0, Math.floor((now() - countedAtMs) / REFILL_MS));
    left = Math.min(BURST, left + refilled);
    countedAtMs += refilled * REFILL_MS;
    if (left === 0) return undefined;
    left -= 1;
    return lookUp();
  };
}
