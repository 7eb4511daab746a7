/**
 * Variables of a function that takes as little memory as it can. Many small objects and streams otherwise leave half of it to
 * those that come next: Node keeps a hundred megabytes for what was made lately, and the C library an arena for each thread.
 */
export const SPARING = { NODE_OPTIONS: '--max-semi-space-size=4', MALLOC_ARENA_MAX: '1' } as const;
