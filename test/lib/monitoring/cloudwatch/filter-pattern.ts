/**
 * A filter pattern of CloudWatch Logs over plain text, as its guide describes it: terms and quoted phrases that an event
 * contains, in the same case; `-` before one that it does not; `?` for any of several, which is ignored beside other
 * terms; or one regular expression between `%`.
 *
 * @throws Error for what the guide does not allow
 */
export function matchesPattern(pattern: string, event: string): boolean {
  if (/^%.*%$/.test(pattern)) return regularExpression(pattern.slice(1, -1)).test(event);
  const terms = [...pattern.matchAll(/([?-]?)(?:"([^"]*)"|([\w]+))(?=\s|$)/g)];
  if (
    terms.map(([term]) => term).join(' ') !==
    pattern.trim().replaceAll(/(?<=["\w])\s+(?=[?"\w-])(?=(?:[^"]*"[^"]*")*[^"]*$)/g, ' ')
  ) {
    throw new Error(`Not a pattern over plain text: ${pattern}`);
  }
  const of = (sign: string) =>
    terms.filter(([, found]) => found === sign).map(([, , phrase, word]) => phrase ?? word ?? '');
  const contains = (term: string) => event.includes(term);
  const [present, absent, optional] = [of(''), of('-'), of('?')];
  if (present.length + absent.length === 0) return optional.some(contains);
  return present.every(contains) && !absent.some(contains);
}

/** The guide allows letters, digits, these symbols and operators, and no groups. */
function regularExpression(source: string): RegExp {
  if (!/^[\w:#=@/;,\-^$?[\]{}|\\*+.]*$/.test(source))
    throw new Error(`Not a regular expression of CloudWatch: ${source}`);
  return new RegExp(source);
}
