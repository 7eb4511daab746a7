import type { Log } from '../../core/runtime/telemetry';

/** What a step did, for its answer and, as it happens, for the log: a step that was killed has no answer. */
export class Steps {
  private readonly done: string[] = [];

  /** @param step such as `cut-over` */
  constructor(
    private readonly log: Log,
    private readonly step: string,
  ) {}

  add(text: string): void {
    this.done.push(text);
    this.log.info(text, { step: this.step });
  }

  /** In their order. */
  all(): string[] {
    return [...this.done];
  }
}
