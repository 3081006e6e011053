/** One who waits, and can be woken. */
export class Sleeper {
  #wake: () => void = () => undefined;

  /** Resolves after so many milliseconds, or when it is woken. */
  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => undefined;
  }

  /** Nothing if it does not sleep. */
  wake(): void {
    this.#wake();
  }
}
