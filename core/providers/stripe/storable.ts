import { InvalidRequestError } from '../../runtime/errors';

/** Deeper than any Stripe object; PostgreSQL itself gives up at a few thousand levels. */
const MAX_DEPTH = 60;

/** Fields of a payment method that may be stored. PCI: never a number, nor anything that identifies the card elsewhere. */
const KEPT_PAYMENT_DETAILS = ['brand', 'last4', 'exp_month', 'exp_year'] as const;
/** Fields that are `{type, [type]: {…}}`: how a charge was paid, and where a refund went. */
const DETAILS_FIELDS = new Set(['payment_method_details', 'destination_details']);

/** What `object` says of the objects that are reduced. */
const CARDS_AND_ACCOUNTS = new Set<unknown>(['card', 'bank_account']);
const PAYMENT_METHODS = new Set<unknown>(['payment_method', 'source']);
const REDUCED_OBJECTS = new Set([...CARDS_AND_ACCOUNTS, ...PAYMENT_METHODS]);

/** Grants its holder access to a payment from a browser. Stripe forbids storing or logging it. */
const CLIENT_SECRET = 'client_secret';

type Json = null | boolean | number | string | Json[] | JsonObject;
type JsonObject = { [key: string]: Json };

/**
 * A Stripe object as it may be stored: payment-method details reduced to brand, last four and expiry, and text that
 * PostgreSQL cannot hold (NUL, half of a surrogate pair) replaced by U+FFFD. Unchanged values, which most are, are returned
 * themselves and not copied.
 *
 * @param json what the value was parsed from, if it is at hand: one check of it may save checking every text
 * @throws InvalidRequestError when it is nested deeper than 60 levels
 */
export function toStorable(value: unknown, json?: string): Json {
  // In JSON, a NUL is always escaped; half of a pair is either escaped or makes the text ill-formed.
  const plain = json !== undefined && !json.includes(String.raw`\u`) && json.isWellFormed();
  if (plain && isStorable(value as Json, 0)) return value as Json;
  return storable(value as Json, 0, plain ? unchanged : storableText);
}

/**
 * Whether nothing of a value has to be changed but texts, as is the case for most events. It looks at the few fields that
 * matter instead of at every name, which takes a third of the time.
 */
function isStorable(value: Json, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth > MAX_DEPTH || (!Array.isArray(value) && hasPaymentDetails(value))) return false;
  const elements = Array.isArray(value) ? value : Object.values(value);
  for (let index = 0; index < elements.length; index += 1) {
    if (!isStorable(elements[index] as Json, depth + 1)) return false;
  }
  return true;
}

/** Whether {@link storable} may change more of an object than its texts. */
function hasPaymentDetails(object: JsonObject): boolean {
  return (
    object[CLIENT_SECRET] !== undefined ||
    object.payment_method_details !== undefined ||
    object.destination_details !== undefined ||
    object.last4 !== undefined ||
    REDUCED_OBJECTS.has(object.object)
  );
}

type TextOf = (text: string) => string;
const unchanged: TextOf = (text) => text;

function storable(value: Json, depth: number, textOf: TextOf): Json {
  if (typeof value === 'string') return textOf(value);
  // A number beyond what JavaScript holds, such as 1e999.
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value === null || typeof value !== 'object') return value;
  // The client library turns decimal fields into instances of its own class.
  if (serialisesItself(value)) return storable(value.toJSON(), depth, textOf);
  if (depth > MAX_DEPTH) throw new InvalidRequestError(`The object is nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return storableArray(value, depth, textOf);
  if (isPaymentMethod(value)) return { ...reduced(value, ['id', 'object', 'customer']), ...reducedDetails(value) };
  if (isCardOrAccount(value)) return reduced(value, ['id', 'object']);
  return storableObject(value, depth, textOf);
}

function storableArray(array: Json[], depth: number, textOf: TextOf): Json[] {
  let copy: Json[] | undefined;
  // By index: this visits everything that Stripe sends, and an iterator allocates for every step.
  for (let index = 0; index < array.length; index += 1) {
    const element = array[index] as Json;
    const kept = storable(element, depth + 1, textOf);
    if (kept !== element) copy ??= [...array];
    if (copy) copy[index] = kept;
  }
  return copy ?? array;
}

function storableObject(object: JsonObject, depth: number, textOf: TextOf): JsonObject {
  const keys = Object.keys(object);
  /** The properties so far, once one of them has changed. */
  let copy: [string, Json][] | undefined;
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    const element = object[key] as Json;
    const dropped = key === CLIENT_SECRET;
    const keptKey = textOf(key);
    const kept = DETAILS_FIELDS.has(key) ? reducedDetails(element) : storable(element, depth + 1, textOf);
    if (dropped || keptKey !== key || kept !== element) {
      copy ??= keys.slice(0, index).map((before) => [before, object[before] as Json]);
    }
    if (!dropped) copy?.push([keptKey, kept]);
  }
  // `fromEntries` defines properties: a key such as `__proto__` stays a key.
  return copy ? Object.fromEntries(copy) : object;
}

function serialisesItself(value: object): value is { toJSON(): Json } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

function storableText(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed();
  return wellFormed.includes('\0') ? wellFormed.replaceAll('\0', '\uFFFD') : wellFormed;
}

function isCardOrAccount(value: JsonObject): boolean {
  return CARDS_AND_ACCOUNTS.has(value.object) || ('last4' in value && 'exp_month' in value);
}

function isPaymentMethod(value: JsonObject): boolean {
  return PAYMENT_METHODS.has(value.object);
}

function reduced(value: JsonObject, alsoKept: readonly string[] = []): JsonObject {
  const kept = [...alsoKept, ...KEPT_PAYMENT_DETAILS].filter((key) => key in value);
  return Object.fromEntries(
    kept.map((key) => {
      const element = value[key] as Json;
      return [key, typeof element === 'string' ? storableText(element) : typeof element === 'object' ? null : element];
    }),
  );
}

/** `{type, [type]: {…}}`, whatever the type. */
function reducedDetails(details: Json): JsonObject | null {
  if (details === null || typeof details !== 'object' || Array.isArray(details)) return null;
  const type = typeof details.type === 'string' ? storableText(details.type) : null;
  const ofType = type === null ? undefined : details[type];
  if (type === null || typeof ofType !== 'object' || ofType === null || Array.isArray(ofType)) return { type };
  return Object.fromEntries([
    ['type', type],
    [type, reduced(ofType)],
  ]);
}
