/** What the platform uses where a server has it: who changed what, which statements take long, warming a restored instance. */
export const OWN_EXTENSIONS: readonly string[] = ['pg_stat_statements', 'pgaudit', 'pg_prewarm'];
