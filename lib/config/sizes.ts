import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';

/** Sizes of an environment, by the people who use the applications on a day. */
export const SIZES = ['small', 'medium', 'large', 'xlarge'] as const;
export type Size = (typeof SIZES)[number];

/** A created database, as a size has it. */
interface SizedDatabase {
  readonly kind: 'create';
  readonly instanceClass: string;
  readonly allocatedStorageGiB: number;
  readonly maximumStorageGiB: number;
  readonly multiAz: boolean;
  readonly proxy: boolean;
  readonly analyticsReplica: boolean;
}

/** What a size decides where the settings leave it out. */
export interface SizeDefaults {
  /** Users a day up to which it is meant. `docs/costs.md` compares what they need with what was measured. */
  readonly usersPerDay: number;
  /** Instances of both databases. */
  readonly databases: Readonly<Record<DatabaseName, SizedDatabase>>;
  /** Cache of entitlements, where there is a network for it. */
  readonly cache: { readonly kind: 'none' | 'serverless' };
  /** Batches of events that are applied at a time. */
  readonly processorConcurrency: number;
}

function instance(instanceClass: string, storageGiB: readonly [number, number], parts: Partial<SizedDatabase> = {}) {
  const [allocatedStorageGiB, maximumStorageGiB] = storageGiB;
  const off = { multiAz: false, proxy: false, analyticsReplica: false };
  return { kind: 'create', instanceClass, allocatedStorageGiB, maximumStorageGiB, ...off, ...parts } as const;
}

const HIGHLY_AVAILABLE = { multiAz: true, proxy: true, analyticsReplica: true };

/** A lower one is short of disk or CPU at the peak of its last user; a higher one pays for what nobody uses. */
export const SIZE_DEFAULTS: Readonly<Record<Size, SizeDefaults>> = {
  small: {
    usersPerDay: 1_000,
    databases: { billing: instance('t4g.medium', [20, 50]), main: instance('t4g.medium', [20, 50]) },
    cache: { kind: 'none' },
    processorConcurrency: 2,
  },
  medium: {
    usersPerDay: 10_000,
    databases: {
      billing: instance('m7g.large', [50, 200], { multiAz: true }),
      main: instance('t4g.medium', [50, 200]),
    },
    cache: { kind: 'none' },
    processorConcurrency: 5,
  },
  large: {
    usersPerDay: 100_000,
    databases: {
      billing: instance('m7g.large', [100, 500], HIGHLY_AVAILABLE),
      main: instance('m7g.large', [100, 500]),
    },
    cache: { kind: 'serverless' },
    processorConcurrency: 5,
  },
  xlarge: {
    usersPerDay: 1_000_000,
    databases: {
      billing: instance('m7g.xlarge', [500, 4_000], HIGHLY_AVAILABLE),
      main: instance('m7g.xlarge', [500, 4_000], { multiAz: true }),
    },
    cache: { kind: 'serverless' },
    processorConcurrency: 20,
  },
};

type Given = Readonly<Record<string, unknown>>;
const isGroup = (value: unknown): value is Given =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Fills in what the size of an environment decides and its settings leave out. A database that exists stays as it is, and so
 * does what is no setting: the check of the settings names it.
 */
export function withSize(input: unknown): unknown {
  if (!isGroup(input) || !SIZES.some((size) => size === input.size)) return input;
  const { databases, cache, processorConcurrency } = SIZE_DEFAULTS[input.size as Size];
  const given = input.databases ?? {};
  if (!isGroup(given)) return input;
  const sized = Object.fromEntries(DATABASE_NAMES.map((name) => [name, withDefaults(databases[name], given[name])]));
  const hasNetwork = input.existingNetwork !== undefined || Object.values(sized).some(isCreated);
  return {
    processorConcurrency,
    // Where there is no network, there is no place for a cache.
    ...(hasNetwork ? { cache } : {}),
    ...input,
    databases: { ...given, ...sized },
  };
}

const isCreated = (settings: unknown): boolean => isGroup(settings) && (settings.kind ?? 'create') === 'create';

function withDefaults(defaults: SizedDatabase, given: unknown): unknown {
  if (given === undefined) return defaults;
  return isGroup(given) && isCreated(given) ? { ...defaults, ...given } : given;
}
