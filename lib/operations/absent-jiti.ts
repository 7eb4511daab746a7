/**
 * Replaces `jiti` in the bundles. node-pg-migrate creates one when it is loaded, to run JavaScript migrations, and with it
 * would come a compiler of 1.6 MB. Our migrations are SQL and never use it.
 */
export function createJiti(): { import(file: string): never } {
  return {
    import(file: string): never {
      throw new Error(`Migration ${file} is not SQL: only .sql migrations are bundled`);
    },
  };
}
