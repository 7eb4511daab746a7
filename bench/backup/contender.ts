/** One way of backing up a database and restoring it. */
export interface Contender {
  readonly name: string;
  /** Saves the database in S3. @returns bytes in S3 */
  save(): Promise<number>;
  /** Restores the backup as this new database. */
  restore(targetDatabase: string): Promise<void>;
  /** Peak memory of the backup and restore processes, in bytes, where it can be measured. */
  readonly peakMemoryBytes?: () => { readonly save: number; readonly restore: number };
}
