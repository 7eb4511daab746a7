import { CommandError, explain } from '../errors';
import type { Context } from '../context';

/** What one check found. */
export interface Finding {
  readonly check: string;
  readonly state: 'good' | 'wrong' | 'skipped';
  readonly detail: string;
  /** What to do about it; null where there is nothing to do. */
  readonly fix: string | null;
}

/** A check that found nothing. */
export const good = (check: string, detail: string): Finding => ({ check, state: 'good', detail, fix: null });
/** A check that found something, with what to do. */
export const wrong = (check: string, detail: string, fix: string): Finding => ({ check, state: 'wrong', detail, fix });
/** A check that could not be made, with why. */
export const skipped = (check: string, detail: string): Finding => ({ check, state: 'skipped', detail, fix: null });
/** A check by its outcome. */
export const judged = (check: string, isGood: boolean, detail: string, fix: string): Finding =>
  isGood ? good(check, detail) : wrong(check, detail, fix);

/** A check that this environment cannot make is skipped; any other failure is a finding. */
export function failureOf(check: string, error: unknown, { target }: Context): Finding {
  const { exit, message } = explain(error, `check ${check}`, target.label);
  const isElsewhere =
    error instanceof CommandError && exit === 'refused' && message.startsWith('The local platform has no ');
  return isElsewhere && target.platform !== undefined
    ? skipped(check, message)
    : wrong(check, message, 'The line says what to do; then run ops doctor again');
}

/**
 * Makes checks one after the other and collects what they find. One that cannot be made is a finding, and the others are made
 * nevertheless, until the operator ends the command.
 */
export function checkInto(
  findings: Finding[],
  { signal }: Pick<Context, 'signal'>,
  failed: (check: string, error: unknown) => Finding,
): (check: string, look: () => Promise<readonly Finding[]>) => Promise<void> {
  return async (check, look) => {
    try {
      findings.push(...(await look()));
    } catch (error) {
      signal.throwIfAborted();
      findings.push(failed(check, error));
    }
  };
}
