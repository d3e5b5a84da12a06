import type { ProgressLine } from '../wire/progress.ts';

/** Milliseconds between two lines about the same layer. */
const STEP_MS = 100;

/** Tells about one layer of a pull, a push or a copy, in Docker's words. */
export interface LayerProgress {
  /** A state that the layer has reached. */
  say(status: string): void;
  /** Bytes so far, of `total`: at most every 100 ms, and never ahead of a client that is slow to read. */
  moved(status: string, current: number, total: number): void;
  /** What it has to wait before it goes on. */
  paused(milliseconds: number): void;
}

export function layerProgress(id: string, emit: (line: ProgressLine) => Promise<void>): LayerProgress {
  let told = 0;
  let isReading = false;
  return {
    say: (status) => void emit({ status, progressDetail: {}, id }),
    paused(milliseconds) {
      const seconds = Math.ceil(milliseconds / 1000);
      void emit({ status: `Retrying in ${seconds} second${seconds === 1 ? '' : 's'}`, progressDetail: {}, id });
    },
    moved(status, current, total) {
      const now = Date.now();
      if (isReading || (now - told < STEP_MS && current < total)) return;
      told = now;
      isReading = true;
      void emit({ status, progressDetail: { current, total }, id }).then(() => {
        isReading = false;
      });
    },
  };
}
