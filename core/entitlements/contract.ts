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
