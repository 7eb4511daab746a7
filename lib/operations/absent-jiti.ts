/**
 * Takes the place of `jiti` inside the bundles. node-pg-migrate makes one when it is loaded, and would run JavaScript
 * migrations through it, with a compiler of 1.6 MB. Ours are SQL, which never gets here.
 */
export function createJiti(): { import(file: string): never } {
  return {
    import(file: string): never {
      throw new Error(`Migration ${file} is not SQL: only .sql migrations are bundled`);
    },
  };
}
