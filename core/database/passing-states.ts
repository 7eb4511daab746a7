/**
 * Beginnings of the SQLSTATEs of what passes by itself, as a regular expression of JavaScript and of PostgreSQL: a connection or a
 * server that goes away, a deadlock, no connection, memory or disk left, an object or a lock that another session holds, a disk
 * that fails. The rest of 55 and 58 stays as it is, such as a view that was never filled (55000) or a library that the server
 * lacks (58P01).
 */
export const PASSING_STATES = '^(08|40|53|57|55006|55P03|58030)';
