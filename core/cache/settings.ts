import * as z from 'zod';

const FORM = 'the URL of a cache, such as rediss://user@example.com:6379, or empty for none';

/** Setting of a function that uses the cache of entitlements; see `CacheEnvironment`. */
export const cacheUrlSetting = z
  .string({ error: FORM })
  .trim()
  .regex(/^$|^rediss?:\/\/[^\s/]+/, FORM);
