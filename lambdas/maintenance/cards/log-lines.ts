import { type DetectedCard, detectCards } from './detect';

/** What a line of a log holds. */
export interface ScannedLine {
  /** The first card that is certain, with whether a code is beside it or another. */
  readonly card: DetectedCard | undefined;
  /** Bare numbers by the key of JSON that they are the value of; of other lines, by none. */
  readonly bare: readonly { readonly key: string; readonly cards: readonly DetectedCard[]; readonly failed: number }[];
}

/** Thirteen digits with at most three other characters between each: nothing else is looked at closely. */
const SHAPE = /\d(?:(?:[ \u00a0+-]|%20|%2b|%2d)?\d){12}/i;
const NOTHING: ScannedLine = { card: undefined, bare: [] };

/**
 * Looks for cards in a line: in the text as it is written, so that words and codes beside a number count; and of numbers that stand
 * alone, in which key, for a key of ids has card numbers by chance.
 */
export function scanLine(line: string): ScannedLine {
  if (!SHAPE.test(line)) return NOTHING;
  const { cards, failedChecks } = detectCards(line);
  const certain = cards.filter(({ bare }) => !bare);
  const [first] = certain;
  const card = first && { ...first, withCode: certain.some(({ withCode }) => withCode) };
  const bare = cards.filter((each) => each.bare);
  if (bare.length + failedChecks === 0) return { card, bare: [] };
  const ofKeys = bareOfKeys(line);
  return { card, bare: ofKeys.length > 0 ? ofKeys : [{ key: '', cards: bare, failed: failedChecks }] };
}

/**
 * Whether a key of JSON is a name, which may be kept, or empty, of lines without one. Others, with three digits in a row or signs
 * that names do not have, may be ids, addresses or card numbers themselves.
 */
export function isName(key: string): boolean {
  return /^[\w.-]{0,64}$/.test(key) && !/\d{3}/.test(key);
}

/** The same by the values of a line of JSON; none where no value alone has a bare number, as in other lines. */
function bareOfKeys(line: string): ScannedLine['bare'] {
  const found: ScannedLine['bare'][number][] = [];
  try {
    // Numbers as they are written: beyond 16 digits, their values are not exact.
    JSON.parse(line, (key: string, value: unknown, context?: { readonly source?: string }) => {
      const text = typeof value === 'string' ? value : typeof value === 'number' ? (context?.source ?? '') : '';
      const { cards, failedChecks: failed } = detectCards(text, key);
      const bare = cards.filter((each) => each.bare);
      if (bare.length + failed > 0) found.push({ key, cards: bare, failed });
      return value;
    });
  } catch {
    return [];
  }
  return found;
}
