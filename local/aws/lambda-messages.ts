/** What the process of a function is sent: one invocation at a time. The channel carries both as JSON. */
export interface Invocation {
  readonly requestId: string;
  readonly event: unknown;
  readonly functionArn: string;
  /** Moment at which the function's time is over, in milliseconds since 1970. */
  readonly deadlineMs: number;
}

/** What the process answers: first whether its bundle could be loaded, then the outcome of each invocation. */
export type Answer =
  | { readonly kind: 'ready' }
  /** `payload` is what the handler returned. */
  | { readonly kind: 'result'; readonly requestId: string; readonly payload: unknown }
  | ({ readonly kind: 'unloadable' } & ErrorDescription)
  | ({ readonly kind: 'error'; readonly requestId: string } & ErrorDescription);

export interface ErrorDescription {
  /** Class of the error. */
  readonly errorType: string;
  readonly errorMessage: string;
  /** Stack trace, a line each. */
  readonly trace: readonly string[];
}
