import { setTimeout as sleep } from 'node:timers/promises';
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { check } from '../../../local/pass/check';
import { addMistake, assemble, revise, REVISED, revisionMark, stackName } from '../assembly';
import { CdkFailed } from '../cdk';
import { logLines } from '../emitted-metrics';
import { withQuickRetries } from '../queues';
import type { Rehearsal, RehearsalStep } from '../rehearsal';
import { checkNothingLost, startTraffic, type TrafficReport } from '../traffic';

/** Webhooks before and after a deployment, so that those during it are in the middle. */
const MARGIN_MS = 2_000;
const MISTAKEN_REVISION = 3;

/** New code for the functions that a webhook passes through, while webhooks come in. */
export const updateUnderTraffic: RehearsalStep = {
  title: 'An update under constant webhook traffic loses nothing',
  async run(rehearsal, tell) {
    const before = await deployedCode(rehearsal);
    tell(await underTraffic(rehearsal, () => deployRevision(rehearsal, 2)));
    const after = await deployedCode(rehearsal);
    for (const stem of REVISED) {
      check(before.get(stem) !== after.get(stem), `${stem} was not updated`);
      const lines = await logLines(rehearsal.options.clients, functionName(rehearsal, stem));
      check(
        lines.some((line) => line.includes(revisionMark(2))),
        `${stem} took no event with its new code`,
      );
    }
    tell(`${REVISED.join(' and ')} run other code than before`);
  },
};

/** New code that is taken back, because something that is deployed after it fails. */
export const rollBackUnderTraffic: RehearsalStep = {
  title: 'An update that fails rolls back, and traffic continues',
  async run(rehearsal, tell) {
    const before = await deployedCode(rehearsal);
    const evidence = await underTraffic(rehearsal, async () => {
      const failure = await deployRevision(rehearsal, MISTAKEN_REVISION, true).then(
        () => undefined,
        (error: unknown) => error,
      );
      check(failure instanceof CdkFailed, `the deployment did not fail as it should: ${String(failure)}`);
      const reason = /_FAILED .*Mistake(.*)/.exec(failure.output)?.[1]?.trim();
      check(reason !== undefined, failure.message);
      tell(`refused: ${reason}`);
    });
    const status = (await rehearsal.deployment.stack('Operations'))?.StackStatus;
    check(status === 'UPDATE_ROLLBACK_COMPLETE', `the stack is ${status}`);
    const after = await deployedCode(rehearsal);
    for (const stem of REVISED) check(before.get(stem) === after.get(stem), `${stem} was not taken back`);
    tell(`${status}: ${REVISED.join(' and ')} run the code of before`);
    tell(evidence);
  },
};

/** @returns what became of the webhooks, once each took effect */
async function underTraffic(rehearsal: Rehearsal, deployment: () => Promise<void>): Promise<string> {
  // MiniStack ends running functions when their code changes, where Lambda lets them finish: what they were at is
  // delivered again, and there is no waiting for minutes here.
  return withQuickRetries(rehearsal, async () => {
    const traffic = startTraffic(rehearsal);
    let report: TrafficReport;
    try {
      await sleep(MARGIN_MS);
      await deployment();
      await sleep(MARGIN_MS);
    } finally {
      report = await traffic.stop();
    }
    return checkNothingLost(rehearsal.billing, report);
  });
}

async function deployRevision(rehearsal: Rehearsal, revision: number, mistaken = false): Promise<void> {
  const { config, bundles, cdk, directory } = rehearsal.options;
  const assembly = assemble({
    config,
    bundles: revise(bundles, directory, revision),
    outdir: rehearsal.folder(`assembly-${revision}`),
    change: mistaken ? addMistake : undefined,
  });
  const stack = stackName(config, 'Operations');
  await cdk('deploy', stack, '--exclusively', '--app', assembly, '--require-approval', 'never');
}

function functionName({ options }: Rehearsal, stem: string): string {
  return `BillingOps-${options.config.name}-${stem}`;
}

/** Identity of the deployed code, by function. */
async function deployedCode(rehearsal: Rehearsal): Promise<Map<string, string>> {
  const entries = REVISED.map(async (stem) => {
    const command = new GetFunctionConfigurationCommand({ FunctionName: functionName(rehearsal, stem) });
    const { CodeSha256: hash = '' } = await rehearsal.options.clients.lambda.send(command);
    return [stem, hash] as const;
  });
  return new Map(await Promise.all(entries));
}
