import type { AlarmState } from './alarm-state';

/**
 * Composite alarms and the suppression of their actions, by CloudWatch's guide.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html
 */

const TOKEN = /\s*(\(|\)|[A-Z_]+\("[^"]+"\)|[A-Z_]+\([^()"]+\)|[A-Z]+)/y;

/**
 * Whether a rule holds.
 *
 * @param stateOf state of an alarm by its name
 * @throws Error naming the rule when it is not understood
 */
export function ruleHolds(rule: string, stateOf: (name: string) => AlarmState): boolean {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < rule.trimEnd().length) {
    const token = TOKEN.exec(rule)?.[1];
    if (token === undefined) throw new Error(`${rule}: not understood`);
    tokens.push(token);
  }
  let at = 0;
  const next = (): string => tokens[at++] ?? 'the end';
  const any = (): boolean => {
    let holds = all();
    while (tokens[at] === 'OR') {
      next();
      const other = all();
      holds = holds || other;
    }
    return holds;
  };
  const all = (): boolean => {
    let holds = one();
    while (tokens[at] === 'AND') {
      next();
      const other = one();
      holds = holds && other;
    }
    return holds;
  };
  const one = (): boolean => {
    const token = next();
    if (token === 'NOT') return !one();
    if (token === 'TRUE' || token === 'FALSE') return token === 'TRUE';
    if (token === '(') {
      const inner = any();
      if (next() !== ')') throw new Error(`${rule}: a parenthesis is not closed`);
      return inner;
    }
    const [, state, name] = /^(ALARM|OK|INSUFFICIENT_DATA)\("?([^"]+?)"?\)$/.exec(token) ?? [];
    if (name === undefined) throw new Error(`${rule}: ${token} is not understood`);
    return stateOf(name) === state;
  };
  const holds = any();
  if (at < tokens.length) throw new Error(`${rule}: not understood from ${tokens.slice(at).join(' ')}`);
  return holds;
}

/** How the actions of a composite alarm are suppressed, in the unit of the steps. */
export interface Suppression {
  readonly wait: number;
  readonly extension: number;
}

/** The actions of one composite alarm as time passes. */
export class SuppressedActions {
  private state: AlarmState = 'OK';
  private suppressor: AlarmState = 'OK';
  /** The state changed, and its actions were not taken yet. */
  private pending = false;
  private waitsUntil = 0;
  private extendedUntil = 0;

  constructor(private readonly suppression: Suppression) {}

  /**
   * One step.
   *
   * @returns the state whose actions are taken now, if any are
   */
  step(now: number, state: AlarmState, suppressor: AlarmState): AlarmState | undefined {
    if (this.suppressor === 'ALARM' && suppressor !== 'ALARM') this.extendedUntil = now + this.suppression.extension;
    if (this.state !== state) {
      this.pending = true;
      // What it waited for is over, and the suppressor has its time again.
      this.waitsUntil = now + this.suppression.wait;
      this.extendedUntil = 0;
    }
    if (suppressor === 'ALARM') [this.waitsUntil, this.extendedUntil] = [0, 0];
    [this.state, this.suppressor] = [state, suppressor];
    const suppressed = suppressor === 'ALARM' || now < this.waitsUntil || now < this.extendedUntil;
    if (suppressed || !this.pending) return undefined;
    this.pending = false;
    return state;
  }
}
