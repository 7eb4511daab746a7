import { archiveInParts } from './archive-in-parts';
import { backUp, restore } from './archives';
import { sendCanary } from './canary';
import { deliverEvents } from './deliveries';
import { heal } from './healing';
import { listenOnLoopback } from './loopback';
import { showState } from './resulting-state';
import type { Step } from './steps';
import { takeTilled } from './tilled';

/** One full pass through the platform. */
export const PASS_STEPS: readonly Step[] = [
  deliverEvents,
  sendCanary,
  showState,
  backUp,
  restore,
  archiveInParts,
  heal,
  takeTilled,
  listenOnLoopback,
];
