import { SECOND, type WorkflowClock } from '../../../local/states/clock';

export { SECOND } from '../../../local/states/clock';

/** A clock that stands still until something moves it: hours of waiting pass at once, and every run takes the same time. */
export class VirtualClock implements WorkflowClock {
  private now: number;

  /** @param startsAt ISO time */
  constructor(startsAt: string) {
    this.now = Date.parse(startsAt);
  }

  /** Milliseconds since 1970. */
  get nowMs(): number {
    return this.now;
  }

  wait(milliseconds: number): void {
    this.advance(milliseconds);
  }

  advance(milliseconds: number): void {
    if (milliseconds < 0) throw new Error(`Time cannot go back by ${-milliseconds} ms`);
    this.now += milliseconds;
  }
}

export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
