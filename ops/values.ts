import { DATABASE_NAMES } from '../core/contract';
import { PROVIDER_NAMES } from '../core/providers/contract';
import { CommandError } from './errors';

/** The form that the text of a value must have. */
export interface Form<T> {
  /** As a usage line shows it, without brackets, such as `database`. */
  readonly placeholder: string;
  /** All that it may be, for help and completion. @default - more than can be listed */
  readonly choices?: readonly string[];
  /** @throws CommandError `usage` that says what is expected */
  readonly parse: (text: string) => T;
}

/** One option or argument. */
export interface Value<T> {
  readonly summary: string;
  /** `flag` is given or not, `one` takes a text, `many` one or more. */
  readonly kind: 'flag' | 'one' | 'many';
  readonly required: boolean;
  /** Of a text; a flag has none. */
  readonly form?: Form<unknown>;
  /** Never set: carries the type. */
  readonly type?: T;
}

/** What `run` gets for a table of options or arguments. */
export type ValuesOf<Values> = {
  readonly [Name in keyof Values]: Values[Name] extends Value<infer T> ? T : never;
};

/** A switch. */
export const flag = (summary: string): Value<boolean> => ({ summary, kind: 'flag', required: false });

/** A value that must be given. */
export const required = <T>(form: Form<T>, summary: string): Value<T> => ({
  summary,
  kind: 'one',
  required: true,
  form,
});

/** A value that may be left out. */
export const optional = <T>(form: Form<T>, summary: string): Value<T | undefined> => ({
  summary,
  kind: 'one',
  required: false,
  form,
});

/** One or more values. */
export const several = <T>(form: Form<T>, summary: string): Value<readonly T[]> => ({
  summary,
  kind: 'many',
  required: true,
  form,
});

/** Any number of values, also none. */
export const anyNumber = <T>(form: Form<T>, summary: string): Value<readonly T[]> => ({
  summary,
  kind: 'many',
  required: false,
  form,
});

const wrong = (expected: string): CommandError => new CommandError('usage', `expected ${expected}`);

/** Text of any form. */
export const text = (placeholder: string): Form<string> => ({
  placeholder,
  parse(value) {
    if (value.trim() === '') throw wrong(`a ${placeholder}, not an empty text`);
    return value;
  },
});

/** One of a few words. */
export function oneOf<const Choice extends string>(placeholder: string, choices: readonly Choice[]): Form<Choice> {
  return {
    placeholder,
    choices,
    parse(value) {
      const choice = choices.find((candidate) => candidate === value);
      if (choice === undefined) throw wrong(choices.join(' or '));
      return choice;
    },
  };
}

/** The name of a database. */
export const database = oneOf('database', DATABASE_NAMES);

/** A whole number within limits. */
export const wholeNumber = (placeholder: string, min: number, max: number): Form<number> => ({
  placeholder,
  parse(value) {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) throw wrong(`a whole number from ${min} to ${max}`);
    return number;
  },
});

/** The provider of events. */
export const provider = oneOf('provider', PROVIDER_NAMES);

/** An id of an event of Stripe's or Tilled's. */
export const eventId: Form<string> = {
  placeholder: 'event',
  parse(value) {
    if (!/^evt_[A-Za-z0-9_-]+$/.test(value)) throw wrong('an event id such as evt_1A2b3C');
    return value;
  },
};

/** The id of a key of the HTTP API. Whoever found a whole key, such as one that leaked, may paste it. */
export const keyId: Form<string> = {
  placeholder: 'key',
  parse(value) {
    const [, id] = /^(?:bok_)?([0-9A-Za-z]{12})(?:_[\w-]*)?$/.exec(value) ?? [];
    if (id === undefined) throw wrong('the id of a key such as 4fGh1kL0pQr2, or the key');
    return id;
  },
};

/** The id of a message of a queue. */
export const messageId: Form<string> = {
  placeholder: 'message',
  parse(value) {
    if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) {
      throw wrong('the id of a message, as "ops webhooks parked" lists it');
    }
    return value;
  },
};

/** SHA-256 of a file, as `sha256sum` prints it. */
export const sha256: Form<string> = {
  placeholder: 'sha256',
  parse(value) {
    if (!/^[0-9a-f]{64}$/.test(value)) throw wrong('64 hexadecimal digits, as sha256sum prints them');
    return value;
  },
};

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
/** A span of minutes, hours or days such as `90m`, in milliseconds; undefined for another text. */
function spanMs(value: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,5})([mhd])$/.exec(value) ?? [];
  return count === undefined ? undefined : Number(count) * (UNITS[unit] ?? 0);
}

const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

/**
 * A moment: an ISO 8601 time with a zone, or a span before now such as `90m`, `6h` or `2d`. Becomes ISO 8601 in UTC. A time
 * without a zone is refused: at night, a mistaken zone restores the wrong hour.
 */
export const time = (clock: () => Date = () => new Date()): Form<string> => ({
  placeholder: 'time',
  parse(value) {
    const span = spanMs(value);
    if (span !== undefined) return new Date(clock().getTime() - span).toISOString();
    const moment = new Date(value);
    if (!ISO_TIME.test(value) || Number.isNaN(moment.getTime())) {
      throw wrong(
        'an ISO 8601 time with a zone such as 2026-11-21T06:00:00Z, or a span before now such as 90m, 6h or 2d',
      );
    }
    return moment.toISOString().replace('.000Z', 'Z');
  },
});

/** A moment to come: an ISO 8601 time with a zone, or a span from now such as `90d`. Becomes ISO 8601 in UTC. */
export const timeToCome = (clock: () => Date = () => new Date()): Form<string> => ({
  placeholder: 'time',
  parse(value) {
    const now = clock();
    const span = spanMs(value);
    const moment = span === undefined ? new Date(value) : new Date(now.getTime() + span);
    if ((span === undefined && !ISO_TIME.test(value)) || !(moment > now)) {
      const example = `${now.getUTCFullYear() + 1}-01-01T00:00:00Z`;
      throw wrong(
        `a moment to come: an ISO 8601 time with a zone such as ${example}, or a span from now such as 12h or 90d`,
      );
    }
    return moment.toISOString().replace('.000Z', 'Z');
  },
});
