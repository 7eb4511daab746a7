/** PostgreSQL types that an array parameter may hold, and the JavaScript values that stand for them; `null` for NULL. */
export interface ArrayElements {
  readonly text: string;
  /** JSON, as text. */
  readonly jsonb: string;
  readonly timestamptz: Date;
  readonly boolean: boolean;
  /** A safe integer. */
  readonly bigint: number;
}

export type ArrayElementType = keyof ArrayElements;

/** OIDs of the types; fixed in PostgreSQL, see pg_type.dat. */
const TYPE_OIDS: Readonly<Record<ArrayElementType, number>> = {
  text: 25,
  jsonb: 3802,
  timestamptz: 1184,
  boolean: 16,
  bigint: 20,
};
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;
/** Up to here, as ids and statuses are, a text is written faster letter by letter than by a call of the engine's own. */
const SHORT_TEXT = 64;
/** Most bytes that UTF-8 takes for each unit of a text's length. */
const MOST_BYTES = 3;
/** PostgreSQL counts microseconds from the year 2000. */
const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);
/** The only version of jsonb's binary form: this byte, then text. */
const JSONB_VERSION = 1;

/**
 * A one-dimensional array in PostgreSQL's binary format, for a parameter that the statement casts to `type[]`. In text
 * format every quote of a JSON document would be escaped here and unescaped there; in binary it is copied once.
 *
 * @throws RangeError when a value is not of the type
 */
export function arrayParameter<Type extends ArrayElementType>(
  type: Type,
  values: readonly (ArrayElements[Type] | null)[],
): Buffer {
  const size = values.reduce<number>((sum, value) => sum + LENGTH_BYTES + mostBytesOf(type, value), 0);
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + size);
  buffer.writeInt32BE(1, 0); // dimensions
  buffer.writeInt32BE(values.includes(null) ? 1 : 0, 4);
  buffer.writeInt32BE(TYPE_OIDS[type], 8);
  buffer.writeInt32BE(values.length, 12);
  buffer.writeInt32BE(1, 16); // lower bound
  let offset = HEADER_BYTES;
  for (const value of values) {
    const length = value === null ? NULL_LENGTH : write(buffer, offset + LENGTH_BYTES, type, value);
    buffer.writeInt32BE(length, offset);
    offset += LENGTH_BYTES + Math.max(length, 0);
  }
  return buffer.subarray(0, offset);
}

function mostBytesOf(type: ArrayElementType, value: ArrayElements[ArrayElementType] | null): number {
  if (value === null) return 0;
  if (type === 'text') return mostBytesOfText(String(value));
  if (type === 'jsonb') return 1 + mostBytesOfText(String(value));
  return type === 'boolean' ? 1 : 8;
}

function mostBytesOfText(text: string): number {
  return text.length <= SHORT_TEXT ? MOST_BYTES * text.length : Buffer.byteLength(text);
}

/** Writes one value; returns its length in bytes. */
function write(buffer: Buffer, offset: number, type: ArrayElementType, value: ArrayElements[ArrayElementType]): number {
  switch (type) {
    case 'text':
      return writeText(buffer, offset, String(value));
    case 'jsonb':
      buffer.writeUInt8(JSONB_VERSION, offset);
      return 1 + writeText(buffer, offset + 1, String(value));
    case 'boolean':
      return buffer.writeUInt8(value === true ? 1 : 0, offset) - offset;
    case 'timestamptz': {
      return writeInteger(buffer, offset, Number(value) - POSTGRES_EPOCH_MS, 1000);
    }
    default:
      return writeInteger(buffer, offset, Number(value));
  }
}

function writeText(buffer: Buffer, offset: number, text: string): number {
  if (text.length > SHORT_TEXT) return buffer.write(text, offset);
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return buffer.write(text, offset);
    buffer[offset + index] = code;
  }
  return text.length;
}

/** Writes `value * factor` as eight bytes in two's complement. */
function writeInteger(buffer: Buffer, offset: number, value: number, factor = 1): number {
  const product = value * factor;
  if (Number.isSafeInteger(product)) {
    // Avoids allocating a bigint for every value.
    const high = Math.floor(product / 2 ** 32);
    buffer.writeInt32BE(high, offset);
    buffer.writeUInt32BE(product - high * 2 ** 32, offset + 4);
  } else {
    buffer.writeBigInt64BE(BigInt(value) * BigInt(factor), offset);
  }
  return 8;
}
