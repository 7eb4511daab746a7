import type { AlarmState } from './alarm-state';

/**
 * Composite alarms and the suppression of their actions, by CloudWatch's guide.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html
 */

const TOKEN = /\s*(\(|\)|[A-Z_]+\("[^"]+"\)|[A-Z_]+\([^()"]+\)|[A-Z]+)/y;

/** @param stateOf state of an alarm by its name */
type Rule = (stateOf: (name: string) => AlarmState) => boolean;

const parsed = new Map<string, Rule>();

/**
 * Whether a rule holds.
 *
 * @param stateOf state of an alarm by its name
 * @throws Error naming the rule when it is not understood
 */
export function ruleHolds(rule: string, stateOf: (name: string) => AlarmState): boolean {
  const known = parsed.get(rule) ?? parse(rule);
  parsed.set(rule, known);
  return known(stateOf);
}

function parse(rule: string): Rule {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < rule.trimEnd().length) {
    const token = TOKEN.exec(rule)?.[1];
    if (token === undefined) throw new Error(`${rule}: not understood`);
    tokens.push(token);
  }
  let at = 0;
  const next = (): string => tokens[at++] ?? 'the end';
  const any = (): Rule => {
    const rules = [all()];
    while (tokens[at] === 'OR') {
      next();
      rules.push(all());
    }
    // All of them: a name that no alarm has is found wherever it stands.
    return (stateOf) => rules.reduce((holds, each) => each(stateOf) || holds, false);
  };
  const all = (): Rule => {
    const rules = [one()];
    while (tokens[at] === 'AND') {
      next();
      rules.push(one());
    }
    return (stateOf) => rules.reduce((holds, each) => each(stateOf) && holds, true);
  };
  const one = (): Rule => {
    const token = next();
    if (token === 'NOT') {
      const inner = one();
      return (stateOf) => !inner(stateOf);
    }
    if (token === 'TRUE' || token === 'FALSE') return () => token === 'TRUE';
    if (token === '(') {
      const inner = any();
      if (next() !== ')') throw new Error(`${rule}: a parenthesis is not closed`);
      return inner;
    }
    const [, state, name] = /^(ALARM|OK|INSUFFICIENT_DATA)\("?([^"]+?)"?\)$/.exec(token) ?? [];
    if (name === undefined) throw new Error(`${rule}: ${token} is not understood`);
    return (stateOf) => stateOf(name) === state;
  };
  const parsedRule = any();
  if (at < tokens.length) throw new Error(`${rule}: not understood from ${tokens.slice(at).join(' ')}`);
  return parsedRule;
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
