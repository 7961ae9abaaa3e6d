/** What is often there at once: who needs it on the hot path does not wait where nothing is to be waited for. */
export type Awaitable<T> = T | Promise<T>;

/** What `next` makes of the value: at once where the value is there. */
export function after<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
