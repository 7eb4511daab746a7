/** The groups that own alarms. Each may have topics of its own: `alarmOwners` of an environment. */
export const OWNERS = [
  /** Payments and access: webhooks, events, reconciliation, entitlements, the API, and what Stripe asks for. */
  'billing',
  /** Databases, their backups, copies, drills, recoveries and maintenance. */
  'data',
  /** What the others stand on: functions, the collector, keys, certificates, and the alerts themselves. */
  'platform',
] as const;
export type Owner = (typeof OWNERS)[number];

/** Tag that names the group of an alarm. */
export const OWNER_TAG = 'alarm-owner';
