/** What the recovery of an instance may take, and when it reports. The restore target itself is in the backup policy. */
export const RECOVERY_POLICY = {
  /** Between two looks at an instance. Shorter only costs calls; longer adds up over the eight waits of a recovery. */
  pollSeconds: 30,
  /** For which a cut-over can be confirmed. Longer leaves a copy that ages; shorter repeats a recovery overnight. */
  confirmationHours: 24,
  /**
   * After which the recovered instance takes the name although nobody chose the moment. Until then backups, reconciliation
   * and everything else that connects without the proxy stands still.
   */
  renameDelayHours: 24,
  /**
   * Share of the restore target that warming may take. More leaves too little for the restore itself and the verification;
   * less hands over a database whose first queries wait for its disk.
   */
  warmingShare: 0.5,
  /** Kept free for verifying: the longest run of the function. */
  verificationMinutes: 15,
  /**
   * For erasing people again, each time: two sweeps of 100 million rows, the second for people who are erased during the first. Lower
   * gives such a recovery up; higher keeps one that hangs.
   */
  erasingHours: 16,
  /** From a rename until the instance answers by its new name: "about 10 minutes", by the RDS user guide. */
  renameMinutes: 10,
  /** From registering a target until the proxy sends traffic to it. */
  proxyMinutes: 2,
  /** For which RDS may not know an instance yet that it was asked to make, or no longer by a former name. */
  unknownMinutes: 3,
  /** Between reminders of instances that a recovery left behind, which cost as much as the one in use. */
  reminderDays: 7,
} as const;

/** Tag of a temporary instance: what it is for. Only instances with it may be deleted. */
export const TEMPORARY_TAG = 'temporary-for';

/** An instance that is restored beside the one in use, read, and removed. */
export const TEMPORARY_INSTANCE_POLICY = {
  /**
   * Smallest class that serves: 2 vCPU and 4 GiB, which RDS offers with PostgreSQL 17. A smaller one has too little memory
   * for the parameter group of the instance in use; a larger one costs more and reads no faster than the restored disk.
   */
  instanceClass: 'db.t4g.medium',
  /** Between two looks at an instance. */
  pollSeconds: 30,
  /** After which a person is reminded of it. Sooner disturbs the one who works with it; later costs a night. */
  remindHours: 4,
  /** After which it is removed, even while people work with it. Shorter ends a review overnight. */
  keepHours: 24,
  /** For which its own workflow has the first chance to remove it, before its expiry does. */
  graceMinutes: 60,
  /** From an attempt of the expiry to remove it until it looks again: longer than RDS takes to delete an instance. */
  removalMinutes: 15,
  /** Between two attempts of the expiry, each of which is reported. */
  attemptHours: 6,
} as const;

/** The archive of a database above the streaming limit, from an instance that is restored for it. */
export const LARGE_ARCHIVE_POLICY = {
  /** After which a person is reminded of the instance: longer than 10 TB take of a large class, so that only slow runs remind. */
  remindHours: 24,
  /** After which an archive is given up, and the instance removed. Shorter ends a large one; longer costs more of one that hangs. */
  keepHours: 72,
  /** Parts at the same time, unless configured. More than the instance has cores only wait for it. */
  concurrentParts: 4,
} as const;

/** The restore of an archive that is too large for one call. */
export const LARGE_RESTORE_POLICY = {
  /** After which a restore is given up. Shorter ends one of tens of terabytes; longer keeps one that hangs. */
  longestHours: 120,
  /** Between two looks at a statement that the server still works on. Less costs calls, more delays the next statement. */
  pollSeconds: 60,
} as const;

/** Minutes from a confirmation to traffic: through the proxy at once, otherwise after both renames, one after the other. */
export function cutOverMinutes(hasProxy: boolean): number {
  return hasProxy ? RECOVERY_POLICY.proxyMinutes : 2 * RECOVERY_POLICY.renameMinutes;
}
