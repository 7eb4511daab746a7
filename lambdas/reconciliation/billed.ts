/** What an invoice bills and since when: decides about access, and is kept in `raw` only. */
export interface Billed {
  /** Seconds since 1970; null for none. */
  readonly dueDate: number | null;
  readonly finalizedAt: number | null;
  /** Each line as text that is equal for equal lines, whatever the API version; sorted. */
  readonly lines: readonly string[];
  /** Only the first lines are there: others may exist. */
  readonly partial: boolean;
}

/** The parts of a stored invoice that {@link billedOf} reads, as SQL over `raw`. */
export const BILLED_PARTS = `jsonb_build_object('due_date', raw -> 'due_date',
  'status_transitions', raw -> 'status_transitions', 'lines', raw -> 'lines')`;

/** @param invoice of an API version before or since 2025 */
export function billedOf(invoice: unknown): Billed {
  const data = valueAt(invoice, 'lines', 'data');
  return {
    dueDate: numberAt(invoice, 'due_date'),
    finalizedAt: numberAt(invoice, 'status_transitions', 'finalized_at'),
    lines: (Array.isArray(data) ? data : []).map(lineText).toSorted(),
    partial: valueAt(invoice, 'lines', 'has_more') === true,
  };
}

/** The same fields as those that billing.invoice_lines() reads. */
function lineText(line: unknown): string {
  const first = (...paths: readonly (readonly string[])[]) =>
    paths.map((path) => valueAt(line, ...path)).find((value) => typeof value === 'string') ?? null;
  return JSON.stringify([
    first(['parent', 'subscription_item_details', 'subscription_item'], ['subscription_item']),
    first(['pricing', 'price_details', 'price'], ['price', 'id'], ['plan', 'id']),
    first(['pricing', 'price_details', 'product'], ['price', 'product'], ['plan', 'product']),
    numberAt(line, 'amount'),
    numberAt(line, 'period', 'start'),
    numberAt(line, 'period', 'end'),
  ]);
}

function numberAt(value: unknown, ...path: readonly string[]): number | null {
  const number = valueAt(value, ...path);
  return typeof number === 'number' ? number : null;
}

function valueAt(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (parent, key) => (typeof parent === 'object' && parent !== null ? (parent as Record<string, unknown>)[key] : null),
    value,
  );
}
