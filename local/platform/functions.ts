import { randomBytes } from 'node:crypto';
import type { LocalDatabaseServer } from '../postgres/databases';
import { LocalFunction, type Surroundings } from '../aws/lambda-runtime';
import type { SecretsManager } from '../aws/secrets-manager';
import type { FunctionDefinition } from '../template/platform-template';

/** The template's functions, each ready to be invoked. */
export class PlatformFunctions {
  readonly all: readonly LocalFunction[];

  constructor(definitions: readonly FunctionDefinition[], surroundings: Surroundings) {
    this.all = definitions.map((definition) => new LocalFunction(definition, surroundings));
  }

  /** The function of a folder in `lambdas/`: its name ends in the folder's. @throws when there is none */
  byStem(stem: string): LocalFunction {
    return this.find(`"${stem}"`, ({ name }) => name.endsWith(`-${stem}`));
  }

  /** @throws when the template has no such function */
  byArn(functionArn: string): LocalFunction {
    return this.find(functionArn, ({ arn }) => arn === withoutQualifier(functionArn, FUNCTION_ARN_PARTS));
  }

  /** @throws when the template has no such function */
  byName(functionName: string): LocalFunction {
    return this.find(functionName, ({ name }) => name === withoutQualifier(functionName, 1));
  }

  /** Ends every instance of every function. */
  stop(): void {
    for (const each of this.all) each.stop();
  }

  private find(description: string, matches: (definition: FunctionDefinition) => boolean): LocalFunction {
    const found = this.all.find(({ definition }) => matches(definition));
    if (found === undefined) throw new Error(`The template has no function ${description}.`);
    return found;
  }
}

/** Parts of the ARN of a function, of which an alias is one more. */
const FUNCTION_ARN_PARTS = 7;

/** A name or ARN without version or alias: here there is one version of each function. */
function withoutQualifier(name: string, parts: number): string {
  return name.split(':').slice(0, parts).join(':');
}

/** Gives each secret its value: those of the databases, Stripe's two and that of the keys, found by the functions that read them. */
export function fillSecrets(
  secrets: SecretsManager,
  databases: readonly LocalDatabaseServer[],
  functions: PlatformFunctions,
  stripe: { readonly signingSecret: string; readonly apiKey: string },
): void {
  for (const { secretArn, credentials } of databases) secrets.put(secretArn, credentials);
  const arnIn = (stem: string, variable: string): string => {
    const arn = functions.byStem(stem).definition.environment[variable];
    if (arn === undefined) throw new Error(`Function ${stem} has no ${variable}.`);
    return arn;
  };
  secrets.put(arnIn('webhook', 'STRIPE_SIGNING_SECRET_ARN'), { current: stripe.signingSecret });
  secrets.put(arnIn('reconciliation', 'STRIPE_API_SECRET_ARN'), { apiKey: stripe.apiKey });
  secrets.put(arnIn('api', 'API_KEY_SECRET_ARN'), { current: randomBytes(32).toString('hex') });
}
