/** How a function reaches the cache of entitlements. */
export interface CacheEnvironment {
  /**
   * `rediss://user@host:port` (TLS), of a cache that bears the name of its one user and knows it by IAM; `redis://host:port` without
   * users; empty where an environment has no cache.
   */
  readonly CACHE_URL: string;
}

/** Published by every function that uses the cache. */
export const CACHE_METRICS = {
  /** Times that the cache did not answer in time; answers came from the database instead. */
  cacheUnavailable: 'CacheUnavailable',
} as const;
