/** Elements of a nested list that an object carries; the list of its own has them all. */
const NESTED = 10;

interface WithList {
  readonly data: readonly unknown[];
}

/** An object as lists and answers carry it: with the first items of a subscription, or lines of an invoice. */
export function firstNested<T extends object>(object: T): T {
  const name = 'items' in object ? 'items' : 'lines';
  const list = (object as Record<string, unknown>)[name] as WithList | undefined;
  if (!Array.isArray(list?.data) || list.data.length <= NESTED) return object;
  return { ...object, [name]: { ...list, data: list.data.slice(0, NESTED), has_more: true } };
}
