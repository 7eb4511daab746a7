import colors from 'picocolors';

/** Colours and weights of the output; without colours, each returns its text unchanged. */
export type Style = ReturnType<typeof colors.createColors>;

/** Coloured only for a terminal, and never with `NO_COLOR` (https://no-color.org). */
export function styleOf(stream: { readonly isTTY?: boolean }, environment: NodeJS.ProcessEnv): Style {
  const wanted = (environment.NO_COLOR ?? '') === '' && environment.TERM !== 'dumb';
  return colors.createColors(stream.isTTY === true && wanted);
}
