import { familyOf } from './provider';
import type { TilledEvent } from './shapes';

/** App that the metadata of the event's object name, or null. */
export function appOf({ data: { metadata } }: TilledEvent): string | null {
  const app = typeof metadata === 'object' && metadata !== null ? (metadata as { app_id?: unknown }).app_id : null;
  return typeof app === 'string' && app !== '' ? app : null;
}

/** The type as a metric's dimension: by provider, and by family, which bounds their number. */
export function metricTypeOf(type: string): string {
  return `tilled.${familyOf(type) ?? 'other'}`;
}
