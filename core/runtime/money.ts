/**
 * Digits of the smallest unit, where there are not two: of Stripe's currencies, which differ from those of ISO 4217 and of what
 * JavaScript knows, such as for the forint. Bitcoin is no currency of Stripe's.
 */
const DIGITS: Readonly<Record<string, number>> = {
  ...digits(0, 'BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'),
  ...digits(3, 'BHD JOD KWD OMR TND'),
  BTC: 8,
};

function digits(count: number, currencies: string): Record<string, number> {
  return Object.fromEntries(currencies.split(' ').map((currency) => [currency, count]));
}

/**
 * An amount for people: `120.00 EUR`.
 *
 * @param amount in the smallest unit of the currency, as text: it may be beyond what a number holds
 */
export function amountText(amount: string, currency: string): string {
  const code = currency.toUpperCase();
  const places = DIGITS[code] ?? 2;
  const [sign, units] = amount.startsWith('-') ? ['-', amount.slice(1)] : ['', amount];
  const padded = units.padStart(places + 1, '0');
  const whole = BigInt(padded.slice(0, padded.length - places)).toLocaleString('en');
  return `${sign}${whole}${places === 0 ? '' : `.${padded.slice(-places)}`} ${code}`;
}

/** Satoshi as bitcoin, exactly, for a column that names the currency: `0.00100000`. */
export const bitcoinText = (satoshi: string): string => amountText(satoshi, 'BTC').replace(/ BTC$/, '');

const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));

/** Whether a code, in either case, is a currency that ISO 4217 has or had. */
export const isCurrency = (code: string): boolean => CURRENCIES.has(code.toUpperCase());
