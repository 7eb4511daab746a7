/** What one way of saving a database, and of bringing it back, took. */
export interface Contender {
  readonly name: string;
  /** Saves the database in S3. @returns bytes in S3 */
  save(): Promise<number>;
  /** Brings what was saved back as this new database. */
  restore(targetDatabase: string): Promise<void>;
  /** Peak memory of the processes that saved and restored, in bytes, where it can be told. */
  readonly peakMemoryBytes?: () => { readonly save: number; readonly restore: number };
}
