/** Source of the events that a recovery puts on the default bus. Monitoring forwards them to the topics. */
export const RECOVERY_EVENT_SOURCE = 'billing-operations.recovery';

/** Types of those events. Each detail holds `environment` and `database`, and what is documented here. */
export const RECOVERY_EVENTS = {
  /**
   * The recovered instance is proven, and waits. `confirmWith`: identifier to type. `taskToken`: names the question.
   * `recoveredInstance`, `minutesSoFar`, `minutesToTraffic`, `targetMinutes`, `verification`, `warming`, `note`.
   */
  confirmationRequested: 'Instance recovery waits for confirmation',
  /** Traffic flows to `recoveredInstance` again, `minutesToTraffic` after the start. `targetMinutes`. */
  trafficRestored: 'Instance recovery restored traffic',
  /**
   * Traffic flows through the proxy, and the name is free. Taking it pauses traffic, so it waits for an answer to
   * `taskToken`, or for a day. `recoveredInstance`, `instance`: the name; `minutesToTraffic`.
   */
  nameRequested: 'Instance recovery waits to take the name',
  /** The recovered instance has the name of the one that it replaces. `formerInstance`: null where it was deleted; `keeps` says so in words; `minutesToTraffic`. */
  completed: 'Instance recovery completed',
  /** Instances that a recovery made or set aside still exist, and cost. `instances`: their identifiers, as one text. */
  leftovers: 'Instance recovery left instances behind',
  /**
   * Rows of a moment were compared, and wait for a choice. `instance`, `reportId`, `deleted`, `changed`, `note`, `removeAt`;
   * `taskToken`: names the question.
   */
  rowsReported: 'Row recovery waits for an answer',
  /** Nobody answered, so the instance was removed; the report remains. `instance`, `reportId`. */
  rowsUnanswered: 'Row recovery ended without an answer',
  /** An instance was recovered on trial, proven and removed. `minutes`: as a recovery would have taken; `targetMinutes`. */
  instanceDrilled: 'Instance drill passed',
  /** A temporary instance still exists, and costs. `instance`, `purpose`, `removeAt`: when it is deleted. */
  temporaryKept: 'Temporary instance is kept',
  /** A temporary instance whose time is over could not be deleted so far. `instance`, `purpose`, `removeAt`. */
  temporaryRemains: 'Temporary instance remains',
} as const;

export type RecoveryEvent = (typeof RECOVERY_EVENTS)[keyof typeof RECOVERY_EVENTS];
