/** What `pg` ships for those who send statements by its connection, as its own cursor does. */
declare module 'pg/lib/utils' {
  /** A value as the protocol carries it: text, bytes, or null for NULL. */
  export function prepareValue(value: unknown): string | Buffer | null;
}
