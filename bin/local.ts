import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run, runThere } from '../local/run';
import { CHECKOUT } from '../local/runtime/checkout';
import type { Scenario } from '../local/scenarios/scenario';
import { SCENARIOS, scenarioNamed } from '../local/scenarios/scenarios';

const HELP = `Runs the whole platform on this machine: two PostgreSQL clusters, the synthesised functions, endpoint, queue
and schedules, S3, SQS, Secrets Manager, stand-ins for Stripe and Tilled. Makes one full pass, then stays up.

Usage: npm start [-- --once | --quiet] [--second-server] [--scenario <name>]

  --once             end after the pass: 0 when every step passed, 1 otherwise
  --quiet            while it is up, print what fails, and not each event and job
  --scenario <name>  run another scenario in place of the pass; while a platform is up here, run it there and end.
                     --scenario list names them
  --second-server    start a third cluster, which "ops move" moves the billing database to (docs/move.md)
  --help             this text

Environment:
  PORT                   port of the webhook endpoint (default: a free one)
  STRIPE_SECRET_KEY      sk_test_… or rk_test_…: reconcile with the real Stripe instead of the stand-in
  STRIPE_WEBHOOK_SECRET  whsec_…: secret that events are signed with (default: a random one)
`;

/** Exit code for a wrong command line or environment. */
const EXIT_USAGE = 2;
const MINIMUM_NODE = 24;

class UsageError extends Error {}

function readPort(value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  const port = Number(value);
  if (!/^\d+$/.test(value) || port < 1 || port > 65_535) throw new UsageError(`PORT must be 1–65535, got "${value}"`);
  return port;
}

function readStripeKey(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (/^(sk|rk)_live_/.test(value)) {
    throw new UsageError('STRIPE_SECRET_KEY is a live key: this is a rehearsal, use one that starts with sk_test_');
  }
  if (!/^(sk|rk)_test_/.test(value)) throw new UsageError('STRIPE_SECRET_KEY must start with sk_test_ or rk_test_');
  return value;
}

function readWebhookSecret(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined;
  // It is printed inside a shell command.
  if (!/^whsec_[A-Za-z0-9_+/=-]+$/.test(value)) throw new UsageError('STRIPE_WEBHOOK_SECRET must look like whsec_…');
  return value;
}

interface Arguments {
  readonly once: boolean;
  readonly quiet: boolean;
  readonly help: boolean;
  readonly secondServer: boolean;
  /** Undefined when none was named. */
  readonly scenario: string | undefined;
}

function readArguments(): Arguments {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean' },
        quiet: { type: 'boolean' },
        'second-server': { type: 'boolean' },
        scenario: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    const { once = false, quiet = false, help = false, 'second-server': secondServer = false, scenario } = values;
    return { once, quiet, help, secondServer, scenario };
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function readScenario(name: string): Scenario {
  try {
    return scenarioNamed(name);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

async function main(): Promise<number> {
  const { once, quiet, help, secondServer, scenario: name } = readArguments();
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (name === 'list') {
    for (const each of SCENARIOS) process.stdout.write(`${each.name.padEnd(8)} ${each.shows}\n`);
    return 0;
  }
  const scenario = readScenario(name ?? 'pass');
  const version = Number(process.versions.node.split('.')[0]);
  if (version < MINIMUM_NODE) {
    throw new UsageError(
      `Node ${MINIMUM_NODE} is needed, as in Lambda; this is ${process.versions.node}. Use "npm start"`,
    );
  }
  const directory = join(CHECKOUT, '.local');
  const there = name === undefined ? undefined : await runThere({ directory, scenario });
  if (there !== undefined) return there;
  return run({
    once,
    quiet,
    scenario,
    directory,
    secondServer,
    port: readPort(process.env.PORT),
    stripeSecretKey: readStripeKey(process.env.STRIPE_SECRET_KEY),
    stripeWebhookSecret: readWebhookSecret(process.env.STRIPE_WEBHOOK_SECRET),
  });
}

main().then(
  // Not `process.exitCode`: a client that keeps its connection open must not keep the process up.
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof UsageError) process.stderr.write('See npm start -- --help\n');
    process.exit(error instanceof UsageError ? EXIT_USAGE : 1);
  },
);
