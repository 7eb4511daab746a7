/**
 * Check constraints that may refuse a row which the database holds, because what they compute depends on more than the row: on
 * other rows, on the clock, the user or a setting, or on a function that was replaced since. They are made after the rows.
 *
 * pg_dump does so with constraints that are not validated. The answer to its query says that these are not, and it writes each as a
 * statement of its own, with everything that belongs to it in the right order.
 */

/** `convalidated` in pg_dump's query for the checks of tables, and in that for those of domains. */
const OF_TABLES = ', conislocal, convalidated FROM ';
const OF_TABLES_ENDS = "WHERE contype = 'c' ORDER BY c.conrelid, c.conname";
const OF_DOMAINS = ' AS consrc, convalidated, contype FROM pg_catalog.pg_constraint WHERE contypid = $1 ';

/**
 * Whether all of a constraint's functions and operators are PostgreSQL's or compiled, and immutable. A conversion from or to text
 * may depend on a setting, as `CURRENT_DATE` and `CURRENT_USER` depend on when and by whom they are computed.
 *
 * @param expression the tree of the constraint
 */
function dependsOnRowAlone(expression: string): string {
  return `(${expression} !~ '\\{(SQLVALUEFUNCTION|COERCEVIAIO|NEXTVALUEEXPR) ' AND NOT EXISTS (
    SELECT FROM pg_catalog.regexp_matches(${expression}, ':(?:funcid|opfuncid) (\\d+)', 'g') AS used (ids)
      JOIN pg_catalog.pg_proc p ON p.oid = used.ids[1]::pg_catalog.oid JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.provolatile <> 'i' OR l.lanname NOT IN ('internal', 'c')))`;
}

/** A child's own constraint that has the name of an inherited one can be made in the child's CREATE TABLE alone. */
const SHARES_NAME = `EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE c.conrelid IN (i.inhrelid, i.inhparent))
  AND EXISTS (SELECT FROM pg_catalog.pg_constraint o
    WHERE o.conname = c.conname AND o.contype = 'c' AND o.conislocal AND o.coninhcount > 0)`;

/** A constraint cannot be added, and checked, to a domain of which a column holds arrays, ranges or composite values. */
const IS_CONTAINED = `EXISTS (
  SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class r ON r.oid = a.attrelid
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  WHERE a.atttypid = $1 AND r.relkind = 'c' OR t.typelem = $1
  UNION ALL SELECT FROM pg_catalog.pg_range WHERE rngsubtype = $1)`;

/** The query of pg_dump that reads check constraints, changed as above; `undefined` for other statements. */
export function withLateChecks(sql: string): string | undefined {
  if (sql.includes(OF_TABLES) && sql.endsWith(OF_TABLES_ENDS)) {
    // pg_dump writes nothing of what is inherited alone, and thousands of partitions may have it under one name.
    const early = `${dependsOnRowAlone('c.conbin::pg_catalog.text')} OR NOT conislocal OR ${SHARES_NAME}`;
    return sql.replace(OF_TABLES, () => `, conislocal, convalidated AND (${early}) AS convalidated FROM `);
  }
  if (!sql.includes(OF_DOMAINS)) return undefined;
  const early = `${dependsOnRowAlone('conbin::pg_catalog.text')} OR contype <> 'c' OR ${IS_CONTAINED}`;
  return sql.replace(OF_DOMAINS, () =>
    OF_DOMAINS.replace('convalidated', () => `convalidated AND (${early}) AS convalidated`),
  );
}
