/** Prefix in the archive bucket that the export role writes to. It is outside of the archives, which no export touches. */
export const EXPORT_PREFIX = 'exports/';
