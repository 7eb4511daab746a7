import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../runtime/checkout';
import type { FunctionDefinition } from '../template/platform-template';
import type { Answer, Invocation } from './lambda-messages';

/** What Lambda answers when an invocation fails. */
export class FunctionError extends Error {
  constructor(
    /** Name of the function. */
    readonly functionName: string,
    /** Class of the error, or one of Lambda's own such as `Sandbox.Timedout`. */
    readonly errorType: string,
    /** Message of the error. */
    readonly errorMessage: string,
    /** The function's log. */
    readonly logFile: string,
    /** Stack trace of the error, a line each; empty when the process ended. */
    readonly trace: readonly string[] = [],
  ) {
    super(`${functionName} failed: ${errorType}: ${errorMessage} (log: ${logFile})`);
    this.name = 'FunctionError';
  }
}

/** Memory that Node keeps outside the heap: Lambda's limit is for the whole process, `--max-old-space-size` is not. */
const HEAP_SHARE = 0.9;

/**
 * One instance of a function: a Node process that answers one invocation at a time and is used again for the next, as
 * in Lambda. After a timeout or a crash it is dead, and another has to take its place.
 */
export class FunctionProcess {
  private readonly child: ChildProcess;
  private readonly loaded: Promise<void>;
  private ended: string | undefined;
  private onMessage: (answer: Answer) => void = () => undefined;
  private onEnd: (reason: string) => void = () => undefined;

  constructor(
    private readonly definition: FunctionDefinition,
    environment: Readonly<Record<string, string>>,
    private readonly logFile: string,
  ) {
    const output = openSync(logFile, 'a', 0o600);
    this.child = fork(join(CHECKOUT, 'local/aws/lambda-bootstrap.mts'), [definition.folder, definition.handler], {
      cwd: definition.folder,
      env: { ...environment },
      execArgv: [`--max-old-space-size=${Math.floor(definition.memoryMib * HEAP_SHARE)}`],
      stdio: ['ignore', output, output, 'ipc'],
    });
    closeSync(output);
    this.child.on('message', (answer) => this.onMessage(answer as Answer));
    this.child.once('error', (error) => this.end(error.message));
    this.child.once('exit', (code, signal) => this.end(signal === null ? `exit status ${code}` : `signal: ${signal}`));
    this.loaded = new Promise((resolve, reject) => {
      this.onEnd = (reason) => reject(this.error('Runtime.ExitError', `Runtime exited with error: ${reason}`));
      this.onMessage = (answer) => {
        if (answer.kind !== 'unloadable') {
          resolve();
          return;
        }
        reject(this.error('Runtime.ImportModuleError', answer.errorMessage));
        this.kill();
      };
    });
    // Thrown by `invoke`; until then it must not count as unhandled.
    this.loaded.catch(() => undefined);
  }

  /** Whether it can answer another invocation. */
  get alive(): boolean {
    return this.ended === undefined;
  }

  /** Resolves once the code is loaded. @throws FunctionError when it cannot be */
  async ready(): Promise<void> {
    await this.loaded;
  }

  /**
   * Runs the handler once. The function's timeout starts here, its code being loaded.
   *
   * @param alias by which it is invoked; part of the ARN that the handler finds in its context
   * @returns the handler's result, after JSON
   * @throws FunctionError
   */
  async invoke(event: unknown, alias?: string): Promise<unknown> {
    await this.loaded;
    if (this.ended !== undefined) throw this.error('Runtime.ExitError', `Runtime exited with error: ${this.ended}`);
    const { timeoutSeconds, arn } = this.definition;
    const requestId = randomUUID();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(this.error('Sandbox.Timedout', `Task timed out after ${timeoutSeconds.toFixed(2)} seconds`));
        this.kill();
      }, timeoutSeconds * 1000);
      this.onEnd = (reason) => {
        clearTimeout(timer);
        reject(this.error('Runtime.ExitError', `Runtime exited with error: ${reason}`));
      };
      this.onMessage = (answer) => {
        clearTimeout(timer);
        if (answer.kind === 'result') resolve(answer.payload);
        if (answer.kind === 'error') reject(this.error(answer.errorType, answer.errorMessage, answer.trace));
      };
      const deadlineMs = Date.now() + timeoutSeconds * 1000;
      this.child.send({
        requestId,
        event,
        functionArn: alias === undefined ? arn : `${arn}:${alias}`,
        deadlineMs,
      } satisfies Invocation);
    });
  }

  kill(): void {
    this.ended ??= 'killed';
    this.child.kill('SIGKILL');
  }

  private end(reason: string): void {
    this.ended ??= reason;
    this.onEnd(reason);
  }

  private error(errorType: string, errorMessage: string, trace?: readonly string[]): FunctionError {
    return new FunctionError(this.definition.name, errorType, errorMessage, this.logFile, trace);
  }
}
