/** Reports one wrong setting: where it is, and what it must be. */
export type Refuse = (path: readonly string[], message: string) => void;
