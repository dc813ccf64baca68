/** Waiting comes in as an argument, like time: a simulation runs on a clock that is moved by hand. */
export interface Timers {
  /** Does `work` once so many milliseconds have gone by; the function that it gives back calls that off. */
  after(milliseconds: number, work: () => void): () => void;
}
