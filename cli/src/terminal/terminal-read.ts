/** How reading a line ended. */
export type TerminalRead =
  | {
      readonly kind: 'line';
      readonly text: string;
      /** A line of a pasted text that goes on: the statement is not over, whatever it looks like. */
      readonly goesOn: boolean;
    }
  | { readonly kind: 'end' }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'cancelled' };

export interface ReadOptions {
  readonly prompt: string;
  /** Nothing of what is typed is shown or remembered. */
  readonly hidden?: boolean;
  /** Into the history; answers to `input()` do not belong there. */
  readonly remembered?: boolean;
  readonly signal?: AbortSignal;
}
