/**
 * Reads SQL as far as it must be read to find where statements end: what is quoted or commented is stepped over whole.
 * For text with `standard_conforming_strings` on, as pg_dump writes it.
 */

/** `words` are names, numbers and operators with the blanks between them. */
export type TokenKind = 'words' | 'quoted' | 'comment' | 'end' | 'open' | 'close' | 'backslash';

/** A piece of SQL text: `text.slice(from, to)`. */
export interface Token {
  readonly kind: TokenKind;
  readonly from: number;
  readonly to: number;
}

/** A quote or comment that is never closed: the text was cut off. */
export class UnterminatedError extends Error {
  /** @param at where it begins */
  constructor(
    readonly what: string,
    readonly at: number,
  ) {
    super(`${what} that begins at character ${at} is never closed`);
  }
}

const NAME_CHARACTER = /[A-Za-z0-9_$\u0080-\uffff]/;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
const UNREMARKABLE = /[^'"$;()\\/-]+/y;
const COMMENT_EDGE = /\/\*|\*\//g;
const ESCAPE_STRING_EDGE = /['\\]/g;
const SINGLE: Readonly<Record<string, TokenKind>> = { ';': 'end', '(': 'open', ')': 'close', '\\': 'backslash' };

/**
 * The tokens of a text, blanks left out. Two quoted pieces that touch, as in `'it''s'`, are two tokens.
 *
 * @throws UnterminatedError
 */
export function* tokens(text: string): Generator<Token, void> {
  let at = 0;
  while (at < text.length) {
    const token = tokenAt(text, at);
    if (token.kind !== 'words' || !isBlank(text, token)) yield token;
    at = token.to;
  }
}

function isBlank(text: string, { from, to }: Token): boolean {
  for (let at = from; at < to; at += 1) if (text.charCodeAt(at) > 32) return false;
  return true;
}

function tokenAt(text: string, from: number): Token {
  const character = text.charAt(from);
  const single = SINGLE[character];
  if (single) return { kind: single, from, to: from + 1 };
  if (character === "'") {
    return quoted(
      from,
      isEscapeString(text, from) ? escapeStringEnd(text, from) : closing(text, "'", from, 'a string'),
    );
  }
  if (character === '"') return quoted(from, closing(text, '"', from, 'a quoted name'));
  if (text.startsWith('--', from)) {
    const end = text.indexOf('\n', from);
    return { kind: 'comment', from, to: end < 0 ? text.length : end };
  }
  if (text.startsWith('/*', from)) return { kind: 'comment', from, to: commentEnd(text, from) };
  if (character === '$' && !NAME_CHARACTER.test(text.charAt(from - 1))) {
    const tag = match(DOLLAR_TAG, text, from);
    if (tag !== undefined) {
      return quoted(from, closing(text, tag, from + tag.length - 1, 'a dollar-quoted string', from));
    }
  }
  return { kind: 'words', from, to: from + Math.max(1, match(UNREMARKABLE, text, from)?.length ?? 1) };
}

/** An E before the quote makes backslashes escapes; a longer word there is a type, or a prefix that does not. */
function isEscapeString(text: string, at: number): boolean {
  return /e/i.test(text.charAt(at - 1)) && !NAME_CHARACTER.test(text.charAt(at - 2));
}

function quoted(from: number, to: number): Token {
  return { kind: 'quoted', from, to };
}

/** @param after the last character of the opening mark */
function closing(text: string, mark: string, after: number, what: string, from = after): number {
  const end = text.indexOf(mark, after + 1);
  if (end < 0) throw new UnterminatedError(what, from);
  return end + mark.length;
}

function commentEnd(text: string, from: number): number {
  let depth = 0;
  COMMENT_EDGE.lastIndex = from;
  for (let edge = COMMENT_EDGE.exec(text); edge; edge = COMMENT_EDGE.exec(text)) {
    depth += edge[0] === '/*' ? 1 : -1;
    if (depth === 0) return COMMENT_EDGE.lastIndex;
  }
  throw new UnterminatedError('a comment', from);
}

function escapeStringEnd(text: string, from: number): number {
  ESCAPE_STRING_EDGE.lastIndex = from + 1;
  for (let edge = ESCAPE_STRING_EDGE.exec(text); edge; edge = ESCAPE_STRING_EDGE.exec(text)) {
    const isEscape = edge[0] === '\\' || text.charAt(edge.index + 1) === "'";
    if (!isEscape) return edge.index + 1;
    ESCAPE_STRING_EDGE.lastIndex = edge.index + 2;
  }
  throw new UnterminatedError('a string', from);
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/**
 * Follows the tokens of a statement to its end. Semicolons separate statements, but not in parentheses, where a rule has
 * several actions, and not in the body of a function that is written as SQL.
 */
export class StatementTracker {
  private isFunction: boolean | undefined;
  private depth = 0;
  private bodyDepth = 0;

  /** @returns whether the token ends the statement */
  follow(token: Token, text: string): boolean {
    // Its first words say what the statement is.
    this.isFunction ??= FUNCTION.test(text.slice(token.from, token.to));
    if (token.kind === 'open') this.depth += 1;
    else if (token.kind === 'close') this.depth -= 1;
    else if (token.kind === 'words') {
      if (this.isFunction && this.depth === 0) this.followBody(text.slice(token.from, token.to));
    } else if (token.kind === 'end' && this.depth === 0 && this.bodyDepth === 0) {
      this.isFunction = undefined;
      return true;
    }
    return false;
  }

  private followBody(words: string): void {
    // BEGIN alone may be a column's name there; CASE and END may not.
    for (const [word] of words.matchAll(/\b(?:BEGIN ATOMIC|CASE|END)\b/gi)) {
      if (/^BEGIN/i.test(word)) this.bodyDepth = 1;
      else if (this.bodyDepth > 0) this.bodyDepth += /^CASE/i.test(word) ? 1 : -1;
    }
  }
}

const FUNCTION = /^\s*CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE)\b/i;
