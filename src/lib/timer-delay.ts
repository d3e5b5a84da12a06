/** A delay as timers take it: whole milliseconds, and 24 days at most. A longer one would end at once. */
export function timerDelay(milliseconds: number): number {
  return Math.min(Math.max(Math.ceil(milliseconds), 0), LONGEST);
}

const LONGEST = 0x7fffffff;
