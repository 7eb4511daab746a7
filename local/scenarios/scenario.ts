import type { PassContext, Step } from '../pass/steps';
import type { Platform } from '../platform/platform';

/** What the steps of a scenario share: those of the pass, and the whole platform of this machine. */
export interface ScenarioContext extends PassContext {
  readonly platform: Platform;
}

/** Something that happens to the platform, and the checks of what came of it. */
export interface Scenario {
  /** As typed after `--scenario`. */
  readonly name: string;
  /** What it shows, as a sentence without its full stop. */
  readonly shows: string;
  readonly steps: readonly Step<ScenarioContext>[];
}
