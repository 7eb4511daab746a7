/** What is recorded, and where: each is a source that can be asked alone. */
export const AUDIT_SOURCES = [
  'operations',
  'records',
  'secrets',
  'logins',
  'statements',
  'reads',
  'api',
  'objects',
] as const;
export type AuditSource = (typeof AUDIT_SOURCES)[number];

/** One thing that was done. */
export interface AuditEntry {
  /** ISO time. */
  readonly at: string;
  readonly source: AuditSource;
  /** Null where the source does not say. */
  readonly who: string | null;
  readonly what: string;
  /** Object, database, key or secret; null for none. */
  readonly about: string | null;
}

/** ISO times: from `since` on, before `until`. */
export interface Span {
  readonly since: string;
  readonly until: string;
}

/** Parts, of any case, of who did something, and of what and about what. */
export interface Choice {
  readonly who?: string | undefined;
  readonly about?: string | undefined;
}

/** What a source answered. */
export interface Answered {
  readonly entries: readonly AuditEntry[];
  /** Whether there may be more that the source did not list. */
  readonly more: boolean;
  /** Parts of the source that were not asked, each with the reason. @default none */
  readonly notAsked?: readonly string[];
}
