import type { Logger } from "@spoolwire/program";

/** What happens in a tree. */
export type Event = { readonly path: string } & (
  | { readonly type: "starting" | "stopping" | "running" | "killing" }
  | { readonly type: "stopped"; readonly words: string }
  | { readonly type: "finished"; readonly words: string }
  /** It is started again after so many seconds. */
  | { readonly type: "waiting"; readonly words: string; readonly seconds: number }
  /** A supervisor restarts those because of one of them. */
  | {
      readonly type: "adjusting";
      readonly because: string;
      readonly words: string;
      readonly children: readonly string[];
    }
  /** A supervisor gives up: its parent must act. */
  | { readonly type: "failed"; readonly words: string }
  | { readonly type: "note" | "problem"; readonly words: string }
);

export type Report = (event: Event) => void;

/** The one place that words events. */
export function logEvents(log: Logger): Report {
  return (event) => {
    const { path, type } = event;
    switch (type) {
      case "starting":
      case "running":
        return log.debug(`${path} is ${type}`);
      case "stopping":
        return log.info(`${path} is being stopped`);
      case "killing":
        return log.warn(`${path} does not stop: it is killed`);
      case "stopped":
        return log.info(`${path} has stopped: ${event.words}`);
      case "finished":
        return log.info(`${path} has ended and is not started again: ${event.words}`);
      case "waiting": {
        const when = event.seconds > 0 ? ` in ${event.seconds.toFixed(1)} s` : "";
        return log.warn(`${path} has failed: ${event.words}; it is started again${when}`);
      }
      case "adjusting":
        return log.info(
          `${path} restarts ${event.children.join(", ")} because of ${event.because}: ${event.words}`,
        );
      case "failed":
        return log.error(`${path} has failed: ${event.words}`);
      case "note":
        return log.info(`${path}: ${event.words}`);
      case "problem":
        return log.warn(`${path}: ${event.words}`);
    }
  };
}
