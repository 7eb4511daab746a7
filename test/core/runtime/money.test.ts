import { amountText } from '../../../core/runtime/money';

test.each([
  ['12000', 'eur', '120.00 EUR'],
  ['-5', 'usd', '-0.05 USD'],
  ['123456789', 'jpy', '123,456,789 JPY'],
  ['1500', 'kwd', '1.500 KWD'],
  ['10000', 'isk', '100.00 ISK'],
  ['123400', 'huf', '1,234.00 HUF'],
  ['5000000', 'idr', '50,000.00 IDR'],
  ['4200', 'mga', '4,200 MGA'],
  ['100000', 'btc', '0.00100000 BTC'],
  ['900719925474099300', 'eur', '9,007,199,254,740,993.00 EUR'],
])('%s of %s is %s', (amount, currency, text) => {
  expect(amountText(amount, currency)).toBe(text);
});
