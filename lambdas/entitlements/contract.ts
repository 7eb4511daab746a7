import type { CacheEnvironment } from '../../core/cache/contract';
import type { BaseEnvironment, BillingDatabaseEnvironment } from '../../core/contract';
import type { EntitlementRule } from '../../core/entitlements/contract';

export interface EntitlementsEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, CacheEnvironment {}

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
} as const;
