/** Digits of the smallest unit where they are not those of ISO 4217: Stripe counts hundredths of some currencies that have none, and bitcoin is no currency of its. */
const DIGITS: Readonly<Record<string, number>> = { ISK: 2, UGX: 2, BTC: 8 };

/**
 * An amount for people: `120.00 EUR`.
 *
 * @param amount in the smallest unit of the currency, as text: it may be beyond what a number holds
 */
export function amountText(amount: string, currency: string): string {
  const code = currency.toUpperCase();
  const digits = DIGITS[code] ?? fractionDigits(code);
  const [sign, units] = amount.startsWith('-') ? ['-', amount.slice(1)] : ['', amount];
  const padded = units.padStart(digits + 1, '0');
  const whole = BigInt(padded.slice(0, padded.length - digits)).toLocaleString('en');
  return `${sign}${whole}${digits === 0 ? '' : `.${padded.slice(-digits)}`} ${code}`;
}

/** Two where the code is unknown, as most have. */
function fractionDigits(code: string): number {
  try {
    const { maximumFractionDigits = 2 } = new Intl.NumberFormat('en', {
      style: 'currency',
      currency: code,
    }).resolvedOptions();
    return maximumFractionDigits;
  } catch {
    return 2;
  }
}

/** Satoshi as bitcoin, exactly, for a column that names the currency: `0.00100000`. */
export const bitcoinText = (satoshi: string): string => amountText(satoshi, 'BTC').replace(/ BTC$/, '');

const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));

/** Whether a code, in either case, is a currency that ISO 4217 has or had. */
export const isCurrency = (code: string): boolean => CURRENCIES.has(code.toUpperCase());
