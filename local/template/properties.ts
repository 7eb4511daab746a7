import type { Resource, Stack } from './assembly';
import type { Location, Resolver } from './intrinsics';

/** Reads the properties of one resource. */
export class Properties {
  constructor(
    private readonly resolver: Resolver,
    readonly stack: Stack,
    readonly logicalId: string,
    private readonly resource: Resource,
  ) {}

  private at(property: string): Location {
    return { stack: this.stack, resource: this.logicalId, property };
  }

  /** The resolved value at a dotted path, or undefined. */
  value(path: string): unknown {
    const raw = path
      .split('.')
      .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], this.resource.Properties);
    return raw === undefined ? undefined : this.resolver.resolve(raw, this.at(path));
  }

  /** @throws when the property is absent */
  text(path: string): string {
    return this.optionalText(path) ?? this.missing(path);
  }

  optionalText(path: string): string | undefined {
    const value = this.value(path);
    return value === undefined ? undefined : this.resolver.text(value, this.at(path));
  }

  number(path: string): number | undefined {
    const value = this.value(path);
    return value === undefined ? undefined : Number(value);
  }

  missing(path: string): never {
    throw new Error(`Template of ${this.stack.name}: ${this.logicalId}: ${path}: is absent.`);
  }
}
