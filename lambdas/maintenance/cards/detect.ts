import { hasCheckDigit, rangeOf } from './ranges';

/** A card number in a text, without any of its digits. */
export interface DetectedCard {
  /** Such as `Visa`. */
  readonly brand: string;
  /** Whether a card verification code is beside it. */
  readonly withCode: boolean;
  /** Neither grouped nor beside a word about cards: among ids, a tenth has a valid check digit by chance. */
  readonly bare: boolean;
}

/** What a text holds of numbers in the ranges of card issuers. */
export interface Detection {
  readonly cards: readonly DetectedCard[];
  /** Bare numbers that are no cards by their check digit alone. */
  readonly failedChecks: number;
}

/** Digits with single spaces, hyphens or (in forms, for a space) plus signs between them. */
const CHAIN = /\d+(?:[ \u00a0+-]\d+)*/g;
/** Printable ASCII as URLs and forms encode it. */
const ENCODED = /%([2-7][\dA-F])/gi;
/** How people and forms group the digits of a card, the longest first. */
const GROUPINGS = ['4-4-4-4-3', '4-4-4-4', '4-6-5', '4-6-4', '6-13'].map((grouping) => grouping.split('-').map(Number));
/** Fours in a row beyond which it is another long number. A card, its expiry and something else have six. */
const MAX_FOURS = 6;
const CARD_WORDS =
  /card|karte|\bpan\b|visa|master|amex|american.?express|discover|diners|jcb|maestro|union.?pay|credit|debit|cc.?n(?:um|o\b|r\b)|cv[cvn]|expir|\bexp\b|valid.?thru/i;
const CODE =
  /(?:\bc?cv[cvn]2?|\bcsc|\bcid|security.?code|verification.?(?:code|value))["'\s:=_#\\-]{0,8}\d{3,4}(?!\d)/i;
/** Characters around a number in which words about cards, and a code, are looked for. */
const BESIDE = 60;
const IBAN = /\b[A-Z]{2}$/;
/** The least digits of what begins like a telephone number, or an IBAN: a card may follow it. */
const LEAST_PHONE = 7;
const LEAST_IBAN = 13;
/** What may stand right before a card, though other letters and hyphens make the digits part of an id: track 1 of its stripe, and words. */
const LABEL = /(?:%B|(?:card|karte|visa|amex|express|discover|diners|jcb|maestro|union.?pay|\bpan|\bcc)-)$/i;
/** What may follow a card after a hyphen: its code, or its expiry. Other digits make it part of an id. */
const SUFFIX = /^-(?:\d{3,4}(?![\p{L}\p{N}_-])|(?:0[1-9]|1[0-2])\/\d{2})/u;

interface Group {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Finds card numbers: digits as people and forms write them, in the ranges and lengths of issuers, with a valid check digit. Parts of ids,
 * hashes, decimal and telephone numbers are none.
 *
 * @param words such as the name of a column: what the text is about
 */
export function detectCards(written: string, words = ''): Detection {
  const text = written.replace(ENCODED, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const cards: DetectedCard[] = [];
  let failedChecks = 0;
  for (const match of text.matchAll(CHAIN)) {
    if (match[0].length < 13) continue;
    const groups = afterOtherNumber(text, groupsOf(match[0], match.index));
    for (let at = 0; at < groups.length;) {
      const found = cardAt(text, groups, at, words);
      if (found === undefined) at += 1;
      else {
        if (found.card === undefined) failedChecks += 1;
        else cards.push(found.card);
        at += found.length;
      }
    }
  }
  return { cards, failedChecks };
}

/** Groups that do not belong to a telephone number, or an IBAN, at the start. */
function afterOtherNumber(text: string, groups: readonly Group[]): readonly Group[] {
  const start = groups[0]?.start ?? 0;
  const isIban = IBAN.test(text.slice(Math.max(0, start - 3), start));
  const least = isIban ? LEAST_IBAN : text[start - 1] === '+' ? LEAST_PHONE : 0;
  let at = 0;
  for (let digits = 0; digits < least && at < groups.length; at += 1) digits += groups[at]?.text.length ?? 0;
  return groups.slice(at);
}

function groupsOf(chain: string, offset: number): Group[] {
  return [...chain.matchAll(/\d+/g)].map(({ 0: text, index }) => ({
    text,
    start: offset + index,
    end: offset + index + text.length,
  }));
}

function cardAt(
  text: string,
  groups: readonly Group[],
  at: number,
  words: string,
): { readonly card: DetectedCard | undefined; readonly length: number } | undefined {
  const single = groups[at]?.text ?? '';
  const isWhole = single.length >= 13;
  const candidates = isWhole ? [[single.length]] : GROUPINGS;
  for (const grouping of candidates) {
    const part = groups.slice(at, at + grouping.length);
    const [first, last] = [part[0], part.at(-1)];
    if (first === undefined || last === undefined || part.length < grouping.length) continue;
    if (!part.every((group, index) => group.text.length === grouping[index])) continue;
    if (!isSeparate(text, first.start, last.end) || !sameSeparators(text, part) || isLonger(groups, at)) continue;
    const digits = part.map((group) => group.text).join('');
    const beside = `${text.slice(Math.max(0, first.start - BESIDE), first.start)} ${text.slice(last.end, last.end + BESIDE)}`;
    const withCode = CODE.test(beside);
    const bare = isWhole && !withCode && !CARD_WORDS.test(beside) && !CARD_WORDS.test(words);
    const checked = check(digits, bare);
    if (checked === undefined) continue;
    if (checked.isValid) return { card: { brand: checked.brand, withCode, bare }, length: part.length };
    if (bare) return { card: undefined, length: part.length };
  }
  return undefined;
}

/** Whether the number is in a range of cards. Of a bare one, in the length that nearly all cards of the range have. */
function check(digits: string, bare: boolean): { readonly brand: string; readonly isValid: boolean } | undefined {
  // Retired by JCB in favour of 3528 to 3589; microseconds and nanoseconds of 2027 begin so.
  if (digits.startsWith('1')) return undefined;
  const range = rangeOf(digits);
  if (range === undefined) return undefined;
  const usual = { 'american-express': 15, 'diners-club': 14 }[range.type] ?? 16;
  // What begins with 6 and is nothing else is taken for Maestro.
  if (bare && (digits.length !== usual || range.type === 'maestro')) return undefined;
  return { brand: range.brand, isValid: hasCheckDigit(digits) };
}

/** Whether the number is no part of an id, of a decimal number or of a longer chain with hyphens. */
function isSeparate(text: string, start: number, end: number): boolean {
  const before = text.slice(Math.max(0, start - 16), start);
  const after = text.slice(end, end + 6);
  // In JSON a line break is a backslash and a letter.
  const isPart = /[\p{L}\p{N}_+-]$|\d\.$/u.test(before) && !/\\[nrt]$/.test(before) && !LABEL.test(before);
  return !isPart && (SUFFIX.test(after) || !/^(?:[\p{L}\p{N}_]|[.-][\p{L}\p{N}])/u.test(after));
}

function sameSeparators(text: string, part: readonly Group[]): boolean {
  return new Set(part.slice(1).map(({ start }) => text[start - 1])).size <= 1;
}

function isLonger(groups: readonly Group[], at: number): boolean {
  const isFour = (index: number) => groups[index]?.text.length === 4;
  let first = at;
  while (isFour(first - 1)) first -= 1;
  let last = at;
  while (isFour(last + 1)) last += 1;
  return isFour(at) && last - first + 1 > MAX_FOURS;
}
