import type { Definition } from './definition';

/** How a state is left: by its end, or by a rule or a catcher. */
export const wayOut = (name: string, by?: string) => (by === undefined ? name : `${name}: ${by}`);

/** Every way out of every state, those of Map included: its end, each rule, and each catcher by its errors. */
export function waysOut({ States }: Definition): string[] {
  return Object.entries(States).flatMap(([name, state]) => {
    const nested = [...(state.Branches ?? []), ...(state.ItemProcessor ? [state.ItemProcessor] : [])].flatMap(waysOut);
    if (state.Type === 'Fail') return [];
    if (state.Type === 'Choice') {
      const rules = (state.Choices ?? []).map((_, index) => wayOut(name, `rule ${index + 1}`));
      return state.Default === undefined ? rules : [...rules, wayOut(name, 'no rule')];
    }
    const caught = (state.Catch ?? []).map(({ ErrorEquals }) => wayOut(name, ErrorEquals.join(', ')));
    return [wayOut(name), ...caught, ...nested];
  });
}
