/** What has to be undone at the end, last things first. */
export class Teardown {
  private readonly actions: (() => void | Promise<void>)[] = [];
  private running: Promise<void> | undefined;

  /** Adds what undoes the step that was just done. */
  add(action: () => void | Promise<void>): void {
    this.actions.push(action);
  }

  /**
   * Undoes everything, also when one thing fails; a second call waits for the first.
   *
   * @throws AggregateError with what failed
   */
  run(): Promise<void> {
    this.running ??= this.undo();
    return this.running;
  }

  private async undo(): Promise<void> {
    const errors: unknown[] = [];
    for (const action of this.actions.toReversed()) {
      try {
        await action();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join('; '));
  }
}
