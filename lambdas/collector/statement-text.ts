import { tokens, UnterminatedError } from '../../core/database/sql-scanner';

/** Characters of a statement in the log. */
const SHOWN = 300;
const NUMBER = /(?<![\w$.])\d+(?:\.\d*)?(?:e[+-]?\d+)?/gi;

/**
 * A statement on one line, without what may be personal or secret: strings and numbers are `?`, comments are left out. PostgreSQL
 * puts parameters in the place of most constants already, but not in statements such as CREATE ROLE.
 */
export function withoutLiterals(sql: string): string {
  let text = '';
  let end = 0;
  try {
    for (const { kind, from, to } of tokens(sql)) {
      const piece = sql.slice(from, to);
      if (from > end) text += ' ';
      if (kind === 'comment') text += ' ';
      // The two pieces of 'it''s' are one string.
      else if (kind === 'quoted' && !piece.startsWith('"')) text += text.endsWith('?') && from === end ? '' : '?';
      else text += piece;
      end = to;
    }
  } catch (error) {
    if (!(error instanceof UnterminatedError)) throw error;
    // Cut off within a literal or a comment, of which nothing is shown.
    text += '…';
  }
  const line = text.replaceAll(NUMBER, '?').replaceAll(/\s+/g, ' ').trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}
