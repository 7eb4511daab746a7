import { backUp, restore } from '../pass/archives';
import { deliverEvents } from '../pass/deliveries';
import { PASS_STEPS } from '../pass/pass-steps';
import { flood, kill, outage, poison } from './faults';
import { mergeLostRows } from './lost-rows';
import type { Scenario } from './scenario';

/** The scenarios of `npm start -- --scenario`, the visible pass first. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'pass',
    shows: 'one full pass: events, state, backup, verified restore, healing; what npm start makes by itself',
    steps: PASS_STEPS,
  },
  {
    name: 'outage',
    shows: 'the billing database is away under webhooks: each is taken, none is parked or lost',
    steps: [outage],
  },
  {
    name: 'kill',
    shows: 'PostgreSQL is killed under webhooks: every acknowledged event is processed, once',
    steps: [kill],
  },
  { name: 'flood', shows: 'a thousand events at once, each tenth twice: each takes effect once', steps: [flood] },
  {
    name: 'poison',
    shows: 'an event that cannot be applied is retried and parked, and holds up no other',
    steps: [poison],
  },
  {
    name: 'restore',
    shows: 'both databases archived, restored and verified; then rows deleted by accident are merged back',
    steps: [deliverEvents, backUp, restore, mergeLostRows],
  },
];

/** @throws Error that lists the names, when there is no such scenario */
export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found) return found;
  throw new Error(`There is no scenario "${name}": expected ${SCENARIOS.map((each) => each.name).join(', ')}`);
}
