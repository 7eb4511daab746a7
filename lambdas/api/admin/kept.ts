import type { ApiDependencies } from '../dependencies';
import { inspect, type Report } from './reports';

/** Milliseconds that an answer is kept: it counts a week of events, and every open page asks for it. */
const KEPT_MS = 60_000;

/** @returns what answers what became of the events of a week, at most a minute old */
export function createActivityReader(dependencies: ApiDependencies): () => Promise<Report<'activity'>> {
  let kept: { readonly at: number; readonly report: Report<'activity'> } | undefined;
  return async () => {
    const now = dependencies.clock().getTime();
    if (kept === undefined || now - kept.at >= KEPT_MS)
      kept = { at: now, report: await inspect(dependencies, 'activity') };
    return kept.report;
  };
}
