import { createHash } from 'node:crypto';

/** A text, and the card that is planted in it; without one, a text in which none may be found. */
export interface CorpusText {
  readonly kind: string;
  readonly text: string;
  /** Whether the text holds a card. */
  readonly planted: boolean;
  /** Whether the card's code is beside it. */
  readonly code?: boolean;
}

/** The same numbers in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) % below;
  };
}

function withCheckDigit(digits: string): string {
  const sum = Array.from(digits)
    .toReversed()
    .map(Number)
    .map((digit, index) => (index % 2 === 0 ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit))
    .reduce((total, digit) => total + digit, 0);
  return digits + String((10 - (sum % 10)) % 10);
}

/** Begins of numbers of issuers, with the length of the whole number. */
const RANGES = {
  Visa: ['453201', 16],
  Mastercard: ['555341', 16],
  'Mastercard 2': ['222300', 16],
  'American Express': ['371449', 15],
  Discover: ['601100', 16],
  Diners: ['305693', 14],
  JCB: ['353011', 16],
  UnionPay: ['622126', 16],
} as const;

const grouped = (card: string, separator: string): string =>
  (card.length === 16 ? [4, 8, 12, 16] : card.length === 15 ? [4, 10, 15] : [4, 10, 14])
    .map((end, index, ends) => card.slice(ends[index - 1] ?? 0, end))
    .join(separator);

/** Texts with cards as people and programs leave them, none of which was ever issued. */
function planted(): CorpusText[] {
  const next = numbers(7);
  const digits = (count: number) => Array.from({ length: count }, () => String(next(10))).join('');
  const card = (prefix: string, length: number) => withCheckDigit(prefix + digits(length - prefix.length - 1));
  return Object.entries(RANGES).flatMap(([brand, [prefix, length]]) => {
    const text = (kind: string, write: (number: string) => string, code = false): CorpusText => ({
      kind: `${brand}: ${kind}`,
      text: write(card(prefix, length)),
      planted: true,
      code,
    });
    return [
      text('bare', (number) => number),
      text('in a sentence', (number) => `He paid with ${number}, and asks for a refund.`),
      text('with spaces', (number) => `number ${grouped(number, ' ')} of the customer`),
      text('with hyphens', (number) => `${grouped(number, '-')}.`),
      text('with expiry and code', (number) => `${grouped(number, ' ')} 12/28 CVC 123`, true),
      text('after a date', (number) => `2026-11-29 ${grouped(number, ' ')}`),
      text('in JSON', (number) => JSON.stringify({ note: 'x', payment: { number, cvc: '1234' } }), true),
      text('as a number in JSON', (number) => `{"id": 1, "n": ${number}}`),
      text('after a line break in JSON', (number) => JSON.stringify({ body: `Dear all,\n${number}\nRegards` })),
      text('on track 1', (number) => `%B${number}^DOE/JANE^28121011234567890?`),
      text('on track 2', (number) => `;${number}=28121011234567890?`),
      text('with its code after a hyphen', (number) => `${number}-123`),
      text('with expiry and code after hyphens', (number) => `${number}-12/28-123`),
      text('after its brand and a hyphen', (number) => `Visa-${number}`),
      text('in an encoded form', (number) => `body=number%3D${number}%26name%3Dx`),
      text('with plus signs', (number) => `number=${grouped(number, '+')}&name=x`),
      text('with encoded spaces', (number) => `number=${grouped(number, '%20')}&name=x`),
      text('after a telephone number', (number) => `+49 170 1234567 ${grouped(number, ' ')}`),
      text('after an IBAN', (number) => `DE89 3704 0044 0532 0130 00 ${number}`),
      text('after an IBAN of fours', (number) => `ES91 2100 0418 4502 0005 1332 ${grouped(number, ' ')}`),
      text('in a log line', (number) => `POST /pay body=card%5Bnumber%5D=&pan=${number}&cvv2=987 400`, true),
    ];
  });
}

/** Texts of kinds that look like cards, of each many. */
function innocent(each: number): CorpusText[] {
  const next = numbers(11);
  const digits = (count: number) => Array.from({ length: count }, () => String(next(10))).join('');
  const hash = (index: number) => createHash('sha256').update(String(index)).digest('hex');
  const kinds: Readonly<Record<string, (index: number) => string>> = {
    'id at Stripe': (index) => `ch_3N${digits(16)}${hash(index).slice(0, 6)}`,
    'id at Stripe of digits': () => `{"id": "acct_4${digits(15)}", "customer": "cus_${digits(16)}"}`,
    'UUID of digits': () => `${digits(8)}-4${digits(3)}-4${digits(3)}-4${digits(3)}-${digits(12)}`,
    'SHA-256': hash,
    'transaction in bitcoin': (index) => `txid ${hash(index)} confirmed`,
    milliseconds: () => `{"at": ${1_700_000_000_000 + next(200_000_000_000)}}`,
    microseconds: () => String(1_790_000_000_000_000 + next(1_000_000_000) * 30_000),
    nanoseconds: () => `18${digits(17)}`,
    'time without separators': () => `202611291${digits(5)}Z 20261129${digits(8)}`,
    'ISO times': (index) => `${new Date(1_796_000_000_000 + index * 1e7).toISOString()} 2026-11-29 12:00:00.123456`,
    'telephone number': () => `+49 ${digits(4)} ${digits(4)} ${digits(4)} ${digits(4)}, +4${digits(12)}`,
    IBAN: () => `DE${digits(2)} 4${digits(3)} ${digits(4)} ${digits(4)} ${digits(4)} ${digits(2)}, DE894${digits(17)}`,
    'IBAN of fours': () => `ES${digits(2)} ${Array.from({ length: 5 }, () => `4${digits(3)}`).join(' ')}`,
    'long IBAN of fours': () => `PL${digits(2)} ${Array.from({ length: 6 }, () => `4${digits(3)}`).join(' ')}`,
    'encoded query': (index) =>
      `q=id%3Dch_4${digits(15)}%26at%3D${new Date(1_796_000_000_000 + index * 1e7).toISOString()}`,
    'part of an order': () => `order-4${digits(15)} 4${digits(15)}-1 4${digits(15)}-12-4`,
    'sum of numbers': () => `${digits(3)}+${digits(4)}+${digits(4)}+${digits(4)}+${digits(2)}`,
    snowflake: () => `${4 + next(3)}${digits(17)}`,
    'decimal number': () => `{"score": 0.4${digits(15)}, "share": 4.${digits(15)}}`,
    'long reference': () =>
      `Ref. 4${digits(3)} ${digits(4)} ${digits(4)} ${digits(4)} ${digits(4)} ${digits(4)} ${digits(4)}`,
    'tracking number': () => `9400${digits(18)} and 1Z${digits(16)}`,
    'number of an article': () => `978${digits(10)}`,
    amounts: () => `4,${digits(3)},${digits(3)}.${digits(2)} and ${digits(12)} cents`,
    base64: (index) => Buffer.from(hash(index)).toString('base64'),
    'key of an order': () => `order_4${digits(15)} 4${digits(15)}-${hash(next(99)).slice(0, 4)}x`,
  };
  return Object.entries(kinds).flatMap(([kind, write]) =>
    Array.from({ length: each }, (_, index) => ({ kind, text: write(index), planted: false })),
  );
}

/** @param each innocent texts of each kind */
export function cardCorpus(each: number): readonly CorpusText[] {
  return [...planted(), ...innocent(each)];
}

/** Ids of 16 digits in a range of cards, a tenth of which has a valid check digit by chance. */
export function idsOfDigits(count: number): readonly string[] {
  const next = numbers(13);
  return Array.from({ length: count }, () => `45${Array.from({ length: 14 }, () => next(10)).join('')}`);
}

/** A card that was never issued. */
export const PLANTED_CARD = withCheckDigit('453201711283036');
