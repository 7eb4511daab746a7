/** A line of a database's log, with the prefix that the parameter group sets. */
export function databaseLogLine(application: string, text: string, user = 'billing_admin'): string {
  return `2026-11-29 15:07:52.611 UTC:10.0.0.7(40123):${user}@billing:[20120]:7:00000:2026-11-29 15:07:52 UTC:3/8:728:6b0c3fc8.4e98:${application}:LOG:  ${text}`;
}

/** A record of pgaudit in such a log. */
export function audited(application: string, record: string, user?: string): string {
  return databaseLogLine(application, `AUDIT: SESSION,5,1,${record}`, user);
}
