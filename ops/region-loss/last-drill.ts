import type { Context } from '../context';
import { type Finding, judged } from '../doctor/finding';
import { explain } from '../errors';
import { moment } from '../print/units';
import { lastRehearsal, runningDrill } from './drill-record';
import type { SecondRegion } from './place';

/** Days from which the last drill is too old: a quarter, and a week to arrange the next. */
export const DRILL_DAYS = 99;

/** Whether a drill came to its end in the last quarter. */
export async function checkLastDrill({ now }: Context, place: SecondRegion): Promise<Finding> {
  const check = 'drill';
  const fix = 'ops region-loss drill --into <environment> --public-key <file>: docs/region-loss.md#rehearse-it';
  try {
    const running = await runningDrill(await place.clients.s3(), place.bucket);
    if (running !== undefined) {
      const { into, startedAt, by, steps } = running.record;
      const last = steps.at(-1);
      const step =
        last === undefined
          ? 'it has taken no step'
          : `its last step was ${last.step}, ${moment(last.startedAt, now())}`;
      return judged(
        check,
        false,
        `that into ${into} of ${moment(startedAt, now())} has not ended: ${step}`,
        `unless ${by} still runs it: ops region-loss drill --into ${into} --public-key <file> continues it, and --abandon takes back what it made`,
      );
    }
    const endedAt = await lastRehearsal(await place.clients.s3(), place.bucket);
    const days =
      endedAt === undefined ? Number.POSITIVE_INFINITY : (now().getTime() - Date.parse(endedAt)) / 86_400_000;
    return judged(check, days <= DRILL_DAYS, endedAt === undefined ? 'never held' : moment(endedAt, now()), fix);
  } catch (error) {
    const { message } = explain(error, 'look for the last drill', place.target.label);
    return judged(check, false, message, fix);
  }
}
