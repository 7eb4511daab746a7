/** CloudWatch accepts only ASCII in a dimension's value. */
const DIMENSION_VALUE = /^[\x21-\x7e][\x20-\x7e]{0,99}$/;
/** Value of a dimension for everything that is not counted by its own name. */
export const OTHER = 'other';
const NONE = 'none';

/**
 * Maps names to values of a metric's dimension: the first `limit` distinct ones to themselves, any further one to `other`.
 * Every value of a dimension is a metric that AWS bills, and metadata may hold anything.
 */
export function boundedNames(limit: number): (name: string | null) => string {
  const known = new Set<string>();
  return (name) => {
    if (name === null || name === '') return NONE;
    if (known.has(name)) return name;
    if (known.size >= limit || !DIMENSION_VALUE.test(name)) return OTHER;
    known.add(name);
    return name;
  };
}
