import { check } from '../../../local/pass/check';
import { assemble } from '../assembly';
import type { RehearsalStep } from '../rehearsal';

/** Prepares both regions, as an operator does once. */
export const bootstrap: RehearsalStep = {
  title: 'cdk bootstrap',
  essential: true,
  async run(rehearsal, tell) {
    const { cdk, config, bundles } = rehearsal.options;
    const assembly = assemble({ config, bundles, outdir: rehearsal.folder('assembly-1') });
    const output = await cdk('bootstrap', '--app', assembly);
    for (const region of [config.region, config.secondRegion ?? config.region]) {
      check(output.includes(`aws://${config.account}/${region} bootstrapped`), `${region} was not bootstrapped`);
      tell(`${region}: bootstrapped`);
    }
  },
};
