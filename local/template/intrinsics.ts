import type { Resource, Stack } from './assembly';

/** Values of `Ref` and `Fn::GetAtt` of a resource on this machine. */
export interface LocalResource {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Returns a resource's counterpart on this machine; undefined when it has none. */
export type Localise = (stack: Stack, logicalId: string, resource: Resource) => LocalResource | undefined;

/** Where a value stands, for error messages: `Stack.Resource: Property`. */
export interface Location {
  readonly stack: Stack;
  readonly resource: string;
  readonly property: string;
}

type Intrinsic = (argument: unknown, location: Location) => unknown;

/** Computes the values of a template's intrinsic functions, across stacks. */
export class Resolver {
  private readonly intrinsics: Readonly<Record<string, Intrinsic>> = {
    Ref: (argument, location) => this.ref(String(argument), location),
    'Fn::GetAtt': (argument, location) => {
      const [id = '', ...attribute] = Array.isArray(argument) ? argument.map(String) : String(argument).split('.');
      return this.attribute(id, attribute.join('.'), location);
    },
    'Fn::Join': (argument, location) => {
      const [delimiter, parts] = this.list(argument, location);
      return this.list(parts, location)
        .map((part) => this.text(part, location))
        .join(String(delimiter));
    },
    'Fn::Split': (argument, location) => {
      const [delimiter, text] = this.list(argument, location);
      return this.text(text, location).split(String(delimiter));
    },
    'Fn::Select': (argument, location) => {
      const [index, values] = this.list(argument, location);
      const value = this.list(this.resolve(values, location), location)[Number(index)];
      return value ?? this.fail(`Fn::Select has no element ${String(index)}`, location);
    },
    'Fn::Sub': (argument, location) => this.substitute(argument, location),
    'Fn::ImportValue': (argument, location) => this.imported(this.text(argument, location), location),
  };

  constructor(
    private readonly stacks: readonly Stack[],
    private readonly localise: Localise,
  ) {}

  /** @throws when the value depends on something that does not exist here; the message says where it stands */
  resolve(value: unknown, location: Location): unknown {
    if (Array.isArray(value)) return value.map((element) => this.resolve(element, location));
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value);
    const [name = '', argument] = entries[0] ?? [];
    if (entries.length === 1 && (name === 'Ref' || name.startsWith('Fn::'))) {
      const intrinsic = this.intrinsics[name] ?? this.fail(`${name} is not supported here`, location);
      return intrinsic(argument, location);
    }
    return Object.fromEntries(entries.map(([key, element]) => [key, this.resolve(element, location)]));
  }

  /** As {@link resolve}, for a value that must be a text or a number. */
  text(value: unknown, location: Location): string {
    const resolved = this.resolve(value, location);
    if (typeof resolved === 'string' || typeof resolved === 'number' || typeof resolved === 'boolean') {
      return String(resolved);
    }
    return this.fail(`expected text, got ${JSON.stringify(resolved)}`, location);
  }

  private list(value: unknown, location: Location): unknown[] {
    const resolved: unknown = Array.isArray(value) ? value : this.resolve(value, location);
    return Array.isArray(resolved) ? resolved : this.fail(`expected a list, got ${JSON.stringify(resolved)}`, location);
  }

  private fail(problem: string, { stack, resource, property }: Location): never {
    throw new Error(`Template of ${stack.name}: ${resource}: ${property}: ${problem}.`);
  }

  private local(id: string, location: Location): LocalResource {
    const resource = location.stack.resources[id] ?? this.fail(`there is no resource ${id}`, location);
    return (
      this.localise(location.stack, id, resource) ??
      this.fail(`${id} (${resource.Type}) has no counterpart on this machine`, location)
    );
  }

  private ref(name: string, location: Location): unknown {
    const { stack } = location;
    const pseudo: Readonly<Record<string, string>> = {
      'AWS::Region': stack.region,
      'AWS::AccountId': stack.account,
      'AWS::Partition': 'aws',
      'AWS::URLSuffix': 'amazonaws.com',
      'AWS::StackName': stack.name,
      'AWS::StackId': `arn:aws:cloudformation:${stack.region}:${stack.account}:stack/${stack.name}/local`,
    };
    return pseudo[name] ?? stack.parameters[name] ?? this.local(name, location).ref;
  }

  private attribute(id: string, attribute: string, location: Location): string {
    const value = this.local(id, location).attributes[attribute];
    return value ?? this.fail(`attribute ${attribute} of ${id} is not known on this machine`, location);
  }

  private substitute(argument: unknown, location: Location): string {
    const [pattern, variables] = Array.isArray(argument)
      ? (argument as [string, Record<string, unknown>])
      : [argument, {}];
    return String(pattern).replace(/\$\{([^}]*)\}/g, (_match, name: string) => {
      if (name.startsWith('!')) return `\${${name.slice(1)}}`;
      const variable = (variables as Record<string, unknown>)[name];
      if (variable !== undefined) return this.text(variable, location);
      const [id = '', ...attribute] = name.split('.');
      return attribute.length > 0 ? this.attribute(id, attribute.join('.'), location) : String(this.ref(id, location));
    });
  }

  private imported(name: string, location: Location): unknown {
    for (const stack of this.stacks) {
      for (const [output, { Value, Export }] of Object.entries(stack.outputs)) {
        const here = { stack, resource: 'Outputs', property: output };
        if (Export !== undefined && this.text(Export.Name, here) === name) return this.resolve(Value, here);
      }
    }
    return this.fail(`no stack exports ${name}`, location);
  }
}
