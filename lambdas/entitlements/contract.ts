import type { BaseEnvironment, BillingDatabaseEnvironment } from '../shared/contract';

/** How a function reaches the cache of entitlements. */
export interface CacheEnvironment {
  /** `rediss://host:port` (TLS) or `redis://host:port`; empty where an environment has no cache. */
  readonly CACHE_URL: string;
}

export interface EntitlementsEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, CacheEnvironment {}

/** What a plan or a purchase grants. Fields that are left out match everything. */
export interface EntitlementRule {
  /** Name of the rule, unique among the rules. */
  readonly id: string;
  readonly appId?: string;
  readonly projectId?: string;
  readonly grants:
    | {
        readonly source: 'subscription';
        /** Exactly one of price and product. */
        readonly priceId?: string;
        readonly productId?: string;
        /**
         * Whole days (of 24 hours) that access outlives an unpaid or late renewal. Too low cuts off people whose bank
         * needs a second attempt; too high gives away what is never paid.
         *
         * @default 7
         */
        readonly graceDays?: number;
      }
    | {
        readonly source: 'purchase';
        readonly kind: 'course' | 'path' | 'coaching' | 'other';
        readonly itemId?: string;
      };
  /** Names of features; in the rule of a purchase `{item_id}` stands for what was bought, as in `course:{item_id}`. */
  readonly features: readonly string[];
}

/** Whose entitlements are computed again. */
export type RecomputeScope = { readonly userId: string } | { readonly projectId: string } | 'all';

export type EntitlementsRequest =
  /** Computes again what the stored subscriptions and purchases of a user, of a project, or of everybody grant. */
  | {
      readonly action: 'recompute';
      readonly scope: RecomputeScope;
      /** Where an earlier invocation stopped for want of time. */
      readonly cursor?: string;
    }
  /** Replaces all rules by these, then computes everybody's entitlements again. */
  | { readonly action: 'put-rules'; readonly rules: readonly EntitlementRule[] }
  /** Answers what a user may use in a project now, and why. */
  | { readonly action: 'read'; readonly userId: string; readonly projectId: string };

export const ENTITLEMENTS_METRICS = {
  /** Users, each in one project, whose entitlements were not what the stored state grants. */
  changed: 'EntitlementsChanged',
  failed: 'EntitlementsFailed',
  durationMs: 'EntitlementsDuration',
  /** Times that the cache did not answer in time; answers came from the database instead. */
  cacheUnavailable: 'CacheUnavailable',
} as const;
