/** Currencies of which Stripe counts hundredths although they have none; see its page on zero-decimal currencies. */
const COUNTED_IN_HUNDREDTHS = new Set(['ISK', 'UGX']);

/**
 * An amount for people: `120.00 EUR`.
 *
 * @param amount in the smallest unit of the currency, as text: it may be beyond what a number holds
 */
export function amountText(amount: string, currency: string): string {
  const code = currency.toUpperCase();
  const digits = COUNTED_IN_HUNDREDTHS.has(code) ? 2 : fractionDigits(code);
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
