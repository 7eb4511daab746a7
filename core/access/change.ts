/** One statement of an adoption, and what it does in words. */
export interface AccessChange {
  readonly verb: 'create' | 'alter' | 'grant' | 'revoke';
  /** Role that gains or loses; `public` for every role of the server. */
  readonly role: string;
  /** `SELECT on billing.charges`. */
  readonly what: string;
  /** Without a password. */
  readonly sql: string;
}

export interface AccessPlan {
  readonly changes: readonly AccessChange[];
  /** Roles with a login that only connect because every role may, and no longer could. */
  readonly locksOut: readonly string[];
  /** What is not as it should be and no statement of this user can change, a sentence each. */
  readonly obstacles: readonly string[];
}
