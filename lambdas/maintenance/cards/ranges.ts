import creditCardType from 'credit-card-type';

/** A range of card numbers. */
export interface CardRange {
  /** Such as `Visa`. */
  readonly brand: string;
  readonly type: string;
  readonly lengths: readonly number[];
}

/** Ranges of issuers by the digits they begin with, the most exact first. */
const RANGES = Object.values(creditCardType.types)
  .map((type) => creditCardType.getTypeInfo(type))
  .flatMap(({ niceType: brand, type, lengths, patterns }) =>
    patterns.map((pattern) => {
      const [low, high] = Array.isArray(pattern) ? [pattern[0] ?? 0, pattern[1] ?? 0] : [pattern, pattern];
      return { range: { brand, type, lengths }, low, high, digits: String(low).length };
    }),
  )
  .toSorted((one, other) => other.digits - one.digits);

/** The range that a number is in, with its length; `undefined` where no issuer has one. */
export function rangeOf(number: string): CardRange | undefined {
  const found = RANGES.find(({ low, high, digits }) => {
    const begin = Number(number.slice(0, digits));
    return begin >= low && begin <= high;
  })?.range;
  return found?.lengths.includes(number.length) === true ? found : undefined;
}

/** Whether the last digit is the check digit of the others, by ISO/IEC 7812-1 (Luhn). */
export function hasCheckDigit(number: string): boolean {
  let sum = 0;
  for (let index = number.length - 1, doubled = false; index >= 0; index -= 1, doubled = !doubled) {
    const digit = Number(number[index]) * (doubled ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 === 0;
}
