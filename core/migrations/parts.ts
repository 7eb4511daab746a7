import { StatementTracker, tokens, UnterminatedError } from '../database/sql-scanner';
import { OperationError } from '../runtime/errors';
import type { MigrationFile } from './files';

/** What a migration does in one direction. */
export interface MigrationPart {
  /** SQL text as it is in the file. */
  readonly text: string;
  /** Its statements, without comments before them and without the semicolon. */
  readonly statements: readonly string[];
  /** `false` where the part begins with {@link NO_TRANSACTION}. */
  readonly inTransaction: boolean;
}

/** A migration in both directions. */
export interface MigrationParts {
  readonly up: MigrationPart;
  /** Undefined where the file has no `-- Down Migration`: it cannot be taken back. */
  readonly down: MigrationPart | undefined;
}

/** Marks a part whose statements run one by one, because PostgreSQL refuses them in a transaction. */
export const NO_TRANSACTION = '-- No transaction';
const MARK = /^-- No transaction\b/m;
const DOWN = /^-- Down Migration/m;

/** Statements that PostgreSQL refuses in a transaction. */
const NEEDS_NO_TRANSACTION =
  /^(?:(?:CREATE (?:UNIQUE )?|DROP )INDEX CONCURRENTLY|REINDEX\b.*\bCONCURRENTLY|VACUUM|ALTER TABLE .* DETACH PARTITION .* CONCURRENTLY|ALTER SYSTEM|(?:CREATE|DROP) DATABASE)\b/is;
/** Statements that begin or end a transaction: a failure after them would leave half a migration. */
const CONTROLS_TRANSACTION = /^(?:BEGIN|START TRANSACTION|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|PREPARE TRANSACTION)\b/i;
/** Statements that change nothing where they ran before, so that a part without a transaction can be resumed. */
const REPEATABLE =
  /^(?:CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS|DROP INDEX CONCURRENTLY IF EXISTS|REINDEX\b.*\bCONCURRENTLY|ALTER TYPE .+ ADD VALUE IF NOT EXISTS|ALTER TABLE .+ VALIDATE CONSTRAINT|VACUUM|ANALYZE)\b/is;

/**
 * Reads the parts of a migration and refuses what could end half applied.
 *
 * @throws OperationError `migration_malformed`, naming the file and the statement
 */
export function partsOf({ name, text }: Pick<MigrationFile, 'name' | 'text'>): MigrationParts {
  const [up = '', ...rest] = text.split(DOWN);
  return { up: readPart(name, up), down: rest.length === 0 ? undefined : readPart(name, rest.join('')) };
}

function readPart(name: string, text: string): MigrationPart {
  const statements = splitStatements(name, text);
  const inTransaction = !MARK.test(text);
  for (const statement of statements) assertRunnable(name, statement, inTransaction);
  return { text, statements, inTransaction };
}

function assertRunnable(name: string, statement: string, inTransaction: boolean): void {
  const shown = shorten(statement);
  if (CONTROLS_TRANSACTION.test(statement)) {
    throw malformed(`Migration ${name} has "${shown}", which ends its transaction half-way: remove that statement`);
  }
  if (inTransaction && NEEDS_NO_TRANSACTION.test(statement)) {
    throw malformed(
      `Migration ${name} has "${shown}", which PostgreSQL refuses in a transaction: put it into a migration of its own that begins with "${NO_TRANSACTION}"`,
    );
  }
  if (!inTransaction && !REPEATABLE.test(statement)) {
    throw malformed(
      `Migration ${name} runs without a transaction, and "${shown}" cannot be resumed there: move it into a migration of its own, or add IF NOT EXISTS or IF EXISTS after CONCURRENTLY`,
    );
  }
}

/** The first words of a statement, on one line. */
export function shorten(statement: string, length = 80): string {
  const line = statement.replaceAll(/\s+/g, ' ');
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}

function splitStatements(name: string, text: string): string[] {
  const statements: string[] = [];
  const tracker = new StatementTracker();
  let from: number | undefined;
  try {
    for (const token of tokens(text)) {
      if (token.kind === 'comment' && from === undefined) continue;
      if (token.kind === 'end' && from === undefined) continue;
      from ??= token.from;
      if (!tracker.follow(token, text)) continue;
      statements.push(text.slice(from, token.from).trim());
      from = undefined;
    }
  } catch (cause) {
    if (!(cause instanceof UnterminatedError)) throw cause;
    throw malformed(`Migration ${name} is cut off: ${cause.message}`, cause);
  }
  if (from !== undefined) statements.push(text.slice(from).trim());
  return statements.filter((statement) => statement !== '');
}

function malformed(message: string, cause?: unknown): OperationError {
  return new OperationError('migration_malformed', message, { cause });
}
