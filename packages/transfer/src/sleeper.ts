/** Waits that somebody else may end early. */
export class Sleeper {
  #wake: () => void = () => undefined;

  /** Resolves when woken, or after `ms`. */
  async sleep(ms: number): Promise<void> {
    let isAwake = false;
    this.#wake = () => (isAwake = true);
    // What is about to be there wakes us in this turn, and needs no timer.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    if (!isAwake) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = () => undefined;
  }

  /** End the wait that is under way, if there is one. */
  wake(): void {
    this.#wake();
  }
}
